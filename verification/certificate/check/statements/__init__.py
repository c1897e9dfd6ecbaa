"""What each claim says, what it assumes, and what derives its cases; nothing here loads FLINT."""
