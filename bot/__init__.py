"""Crewdeck's web process: surfaces, core and store. It never imports crewai."""
