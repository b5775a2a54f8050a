"""The fleet at a glance: what is read of every source, and the page that is made of it. Pure."""
