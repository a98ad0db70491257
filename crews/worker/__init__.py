"""The worker: claims runs, renews their leases, executes them in its engine, drains, is recycled."""
