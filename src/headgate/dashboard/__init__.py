"""Pages for people, over control. One plain page so far."""
