"""Hostile input in a child process with limits on memory and time: what crashes, hangs or swells costs one picture."""
