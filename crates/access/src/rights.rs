//! What one user may do.
