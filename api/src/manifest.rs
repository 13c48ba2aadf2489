//! A model's manifest file.
