//! Speed of the detector.
fn main() {
    divan::main();
}
