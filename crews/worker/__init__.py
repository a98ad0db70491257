"""The worker: claims runs, holds their leases, executes them in its engine, drains, is recycled."""
