//! Steps forward are run once, in order, and a newer database is left alone.
