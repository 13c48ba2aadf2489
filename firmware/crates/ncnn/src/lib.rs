//! Safe wrapper over ncnn's C API: the only unsafe code of the project. Knows nothing of cameras or
//! of what a network is for.
//!
//! | module | owns |
//! |---|---|
//! | [`param`] | the structure of a `.param` file, checked before ncnn sees it |
//! | [`option`] | how a network computes |
//! | [`net`] | a loaded network |
//! | [`mat`] | what goes in: pixels, scaled, padded and normalised |
//! | [`extractor`] | one run of a network, and what comes out |
//! | [`cpu`] | loops for the vectors that this CPU has |
//!
//! Invariants, each held by a type:
//! - A [`Net`] is fully loaded, or it does not exist. It keeps nothing of what it was loaded from.
//! - An [`Extractor`] borrows its net and its inputs, an [`Output`] borrows what its extractor does:
//!   nothing is used after it is freed, and no input changes while something may read it.
//! - ncnn's C++ objects have one owner each, which frees them once.
//!
//! What a safe caller can rely on ends at a model that lies about itself: ncnn does not check whether
//! a layer's own numbers (kernel sizes, slices) agree with each other. [`param`] checks the
//! graph and [`Extractor::input`] the channels; the rest is why a manifest pins its files by hash.

#![allow(unsafe_code)]

pub mod cpu;
mod error;
pub mod extractor;
mod ffi;
pub mod mat;
pub mod net;
pub mod option;
pub mod param;
mod pool;

pub use error::Error;
pub use extractor::{Extractor, Output};
pub use mat::{Mat, PixelOrder};
pub use net::Net;
pub use option::Opt;
pub use param::{Param, ParamError};

/// Version of the linked library, such as `1.0.20260526`.
pub fn version() -> &'static str {
    // SAFETY: ncnn_version returns the address of a string literal, which lives as long as the
    // program and ends in NUL.
    let text = unsafe { std::ffi::CStr::from_ptr(ffi::ncnn_version()) };
    text.to_str().unwrap_or("unknown")
}

/// Version of the linked library as a number, such as `20260526`.
pub fn version_number() -> i32 {
    // SAFETY: takes nothing and returns a constant.
    unsafe { ffi::ncnn_version_number() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_linked_library_is_the_one_that_the_wrapper_is_written_for() {
        assert_eq!(super::version(), concat!("1.0.", env!("EDGECAM_NCNN_VERSION")));
        assert_eq!(super::version_number().to_string(), env!("EDGECAM_NCNN_VERSION"));
    }
}
