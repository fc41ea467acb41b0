//! The proof that a write was authorised.
