"""From files and factories to crews that can be built."""
