//! edgecamd.
fn main() {}
