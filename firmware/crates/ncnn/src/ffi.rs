//! The part of ncnn's `c_api.h` that the wrapper calls, declared by hand: no libclang is needed to
//! build, and `tests/header.rs` compiles these very declarations against the installed header.
//!
//! `C-unwind`: ncnn throws nothing itself, but a `bad_alloc` of the C++ library can come through it;
//! with this ABI that ends the process in a defined way.

use std::ffi::{c_char, c_float, c_int, c_long, c_uchar, c_void};
use std::marker::{PhantomData, PhantomPinned};

macro_rules! opaque {
    ($($name:ident)*) => {$(
        /// A C++ object known by its address only.
        #[repr(C)]
        pub(crate) struct $name {
            _data: [u8; 0],
            _marker: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )*};
}

opaque! { Option Mat Net Extractor DataReader File }

/// An allocator: a C++ object, and the functions that it calls.
#[repr(C)]
pub(crate) struct Allocator {
    pub(crate) pthis: *mut c_void,
    pub(crate) fast_malloc:
        std::option::Option<extern "C-unwind" fn(*mut Allocator, usize) -> *mut c_void>,
    pub(crate) fast_free: std::option::Option<extern "C-unwind" fn(*mut Allocator, *mut c_void)>,
}

pub(crate) const PIXEL_RGB: c_int = 1;
pub(crate) const PIXEL_BGR: c_int = 2;
pub(crate) const PIXEL_CONVERT_SHIFT: u32 = 16;
pub(crate) const BORDER_CONSTANT: c_int = 0;

unsafe extern "C-unwind" {
    pub(crate) fn ncnn_version() -> *const c_char;
    pub(crate) fn ncnn_version_number() -> c_int;

    pub(crate) fn ncnn_allocator_create_pool_allocator() -> *mut Allocator;
    pub(crate) fn ncnn_allocator_destroy(allocator: *mut Allocator);

    pub(crate) fn ncnn_option_create() -> *mut Option;
    pub(crate) fn ncnn_option_destroy(opt: *mut Option);
    pub(crate) fn ncnn_option_set_num_threads(opt: *mut Option, num_threads: c_int);
    pub(crate) fn ncnn_option_set_blob_allocator(opt: *mut Option, allocator: *mut Allocator);
    pub(crate) fn ncnn_option_set_workspace_allocator(opt: *mut Option, allocator: *mut Allocator);
    pub(crate) fn ncnn_option_set_use_local_pool_allocator(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_winograd_convolution(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_sgemm_convolution(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_packing_layout(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_fp16_packed(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_fp16_storage(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_fp16_arithmetic(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_int8_packed(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_int8_storage(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_int8_arithmetic(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_bf16_packed(opt: *mut Option, enable: c_int);
    pub(crate) fn ncnn_option_set_use_bf16_storage(opt: *mut Option, enable: c_int);

    pub(crate) fn ncnn_mat_create() -> *mut Mat;
    pub(crate) fn ncnn_mat_create_3d(
        w: c_int,
        h: c_int,
        c: c_int,
        allocator: *mut Allocator,
    ) -> *mut Mat;
    pub(crate) fn ncnn_mat_destroy(mat: *mut Mat);
    pub(crate) fn ncnn_mat_fill_float(mat: *mut Mat, v: c_float);
    pub(crate) fn ncnn_mat_clone(mat: *mut Mat, allocator: *mut Allocator) -> *mut Mat;
    pub(crate) fn ncnn_mat_get_dims(mat: *mut Mat) -> c_int;
    pub(crate) fn ncnn_mat_get_w(mat: *mut Mat) -> c_int;
    pub(crate) fn ncnn_mat_get_h(mat: *mut Mat) -> c_int;
    pub(crate) fn ncnn_mat_get_d(mat: *mut Mat) -> c_int;
    pub(crate) fn ncnn_mat_get_c(mat: *mut Mat) -> c_int;
    pub(crate) fn ncnn_mat_get_elemsize(mat: *mut Mat) -> usize;
    pub(crate) fn ncnn_mat_get_elempack(mat: *mut Mat) -> c_int;
    pub(crate) fn ncnn_mat_get_data(mat: *mut Mat) -> *mut c_void;
    pub(crate) fn ncnn_mat_get_channel_data(mat: *mut Mat, c: c_int) -> *mut c_void;
    pub(crate) fn ncnn_mat_from_pixels_resize(
        pixels: *const c_uchar,
        kind: c_int,
        w: c_int,
        h: c_int,
        stride: c_int,
        target_width: c_int,
        target_height: c_int,
        allocator: *mut Allocator,
    ) -> *mut Mat;
    pub(crate) fn ncnn_mat_substract_mean_normalize(
        mat: *mut Mat,
        mean_vals: *const c_float,
        norm_vals: *const c_float,
    );
    pub(crate) fn ncnn_copy_make_border(
        src: *mut Mat,
        dst: *mut Mat,
        top: c_int,
        bottom: c_int,
        left: c_int,
        right: c_int,
        kind: c_int,
        v: c_float,
        opt: *mut Option,
    );

    pub(crate) fn ncnn_datareader_create_from_stdio(fp: *mut File) -> *mut DataReader;
    pub(crate) fn ncnn_datareader_destroy(dr: *mut DataReader);

    pub(crate) fn ncnn_net_create() -> *mut Net;
    pub(crate) fn ncnn_net_destroy(net: *mut Net);
    pub(crate) fn ncnn_net_set_option(net: *mut Net, opt: *mut Option);
    pub(crate) fn ncnn_net_load_param_memory(net: *mut Net, mem: *const c_char) -> c_int;
    pub(crate) fn ncnn_net_load_model_datareader(net: *mut Net, dr: *mut DataReader) -> c_int;
    pub(crate) fn ncnn_net_get_input_count(net: *mut Net) -> c_int;
    pub(crate) fn ncnn_net_get_output_count(net: *mut Net) -> c_int;
    pub(crate) fn ncnn_net_get_input_name(net: *mut Net, i: c_int) -> *const c_char;
    pub(crate) fn ncnn_net_get_output_name(net: *mut Net, i: c_int) -> *const c_char;

    pub(crate) fn ncnn_extractor_create(net: *mut Net) -> *mut Extractor;
    pub(crate) fn ncnn_extractor_destroy(ex: *mut Extractor);
    pub(crate) fn ncnn_extractor_input(
        ex: *mut Extractor,
        name: *const c_char,
        mat: *mut Mat,
    ) -> c_int;
    pub(crate) fn ncnn_extractor_extract(
        ex: *mut Extractor,
        name: *const c_char,
        mat: *mut *mut Mat,
    ) -> c_int;
}

// Read by tests only: whether an option has arrived.
#[cfg(test)]
unsafe extern "C-unwind" {
    pub(crate) fn ncnn_option_get_num_threads(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_local_pool_allocator(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_winograd_convolution(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_sgemm_convolution(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_packing_layout(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_fp16_packed(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_fp16_storage(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_fp16_arithmetic(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_int8_packed(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_int8_storage(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_int8_arithmetic(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_bf16_packed(opt: *mut Option) -> c_int;
    pub(crate) fn ncnn_option_get_use_bf16_storage(opt: *mut Option) -> c_int;
}

// The C library's: a FILE over a slice gives ncnn a reader that knows where the slice ends.
unsafe extern "C" {
    pub(crate) fn fmemopen(buf: *mut c_void, size: usize, mode: *const c_char) -> *mut File;
    pub(crate) fn feof(stream: *mut File) -> c_int;
    pub(crate) fn ftell(stream: *mut File) -> c_long;
    pub(crate) fn fclose(stream: *mut File) -> c_int;
}
