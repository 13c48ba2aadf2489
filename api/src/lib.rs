//! The contract: types on the wire and in files.
