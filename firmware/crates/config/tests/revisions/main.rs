//! Settings made over the API are kept: each change whole or not at all, whatever stops it.

mod keeping;
mod kill;
mod paper;
mod power;
mod script;
