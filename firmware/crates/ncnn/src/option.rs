//! How a network computes: threads and number formats.

use std::ptr::NonNull;

use crate::{Error, ffi};

/// How a network computes. Set before it is loaded, because weights are converted at load.
///
/// Formats that the CPU lacks are passed over by ncnn without a word, so results may differ in the
/// last digits between machines. Light mode (intermediate blobs are freed as soon as they are used)
/// is always on: the C API has no switch for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opt {
    /// OpenMP threads of one run, the calling one included; 1..=64, others are brought inside.
    pub threads: u32,
    /// Several channels side by side in memory, for SIMD.
    pub packing_layout: bool,
    /// 16-bit floats in packed blobs.
    pub fp16_packed: bool,
    /// 16-bit floats in memory, 32-bit in registers.
    pub fp16_storage: bool,
    /// 16-bit floats in registers too (ARMv8.2 and later).
    pub fp16_arithmetic: bool,
    /// bfloat16 in packed blobs.
    pub bf16_packed: bool,
    /// bfloat16 in memory, 32-bit floats in registers.
    pub bf16_storage: bool,
    /// 8-bit integers in packed blobs (quantized models only).
    pub int8_packed: bool,
    /// 8-bit integers in memory (quantized models only).
    pub int8_storage: bool,
    /// 8-bit integer arithmetic beyond the quantized layers.
    pub int8_arithmetic: bool,
    /// Winograd's algorithm for 3×3 convolutions: faster, more memory.
    pub winograd_convolution: bool,
    /// Convolutions as matrix products: faster, more memory.
    pub sgemm_convolution: bool,
    /// Blobs from a pool that ncnn keeps for the net, instead of the system's allocator.
    pub local_pool_allocator: bool,
    /// Blobs from pools of the [`Net`](crate::Net): as above, but what is extracted is not copied.
    pub pools: bool,
}

impl Default for Opt {
    /// ncnn's own defaults, but one thread.
    fn default() -> Self {
        Self {
            threads: 1,
            packing_layout: true,
            fp16_packed: true,
            fp16_storage: true,
            fp16_arithmetic: true,
            bf16_packed: false,
            bf16_storage: false,
            int8_packed: true,
            int8_storage: true,
            int8_arithmetic: false,
            winograd_convolution: true,
            sgemm_convolution: true,
            local_pool_allocator: true,
            pools: false,
        }
    }
}

/// An `ncnn::Option` with one owner.
pub(crate) struct Handle(NonNull<ffi::Option>);

impl Handle {
    pub(crate) fn new(opt: &Opt) -> Result<Self, Error> {
        // SAFETY: takes nothing; the object is owned by the handle from here on.
        let raw = unsafe { ffi::ncnn_option_create() };
        let handle = Self(NonNull::new(raw).ok_or(Error::OutOfMemory { what: "options" })?);
        let raw = handle.as_ptr();
        let threads = i32::try_from(opt.threads.clamp(1, 64)).unwrap_or(1);
        // SAFETY: raw is a live Option of this handle and nobody else has it; the setters store
        // plain values.
        unsafe {
            ffi::ncnn_option_set_num_threads(raw, threads);
            ffi::ncnn_option_set_use_packing_layout(raw, opt.packing_layout.into());
            ffi::ncnn_option_set_use_fp16_packed(raw, opt.fp16_packed.into());
            ffi::ncnn_option_set_use_fp16_storage(raw, opt.fp16_storage.into());
            ffi::ncnn_option_set_use_fp16_arithmetic(raw, opt.fp16_arithmetic.into());
            ffi::ncnn_option_set_use_bf16_packed(raw, opt.bf16_packed.into());
            ffi::ncnn_option_set_use_bf16_storage(raw, opt.bf16_storage.into());
            ffi::ncnn_option_set_use_int8_packed(raw, opt.int8_packed.into());
            ffi::ncnn_option_set_use_int8_storage(raw, opt.int8_storage.into());
            ffi::ncnn_option_set_use_int8_arithmetic(raw, opt.int8_arithmetic.into());
            ffi::ncnn_option_set_use_winograd_convolution(raw, opt.winograd_convolution.into());
            ffi::ncnn_option_set_use_sgemm_convolution(raw, opt.sgemm_convolution.into());
            ffi::ncnn_option_set_use_local_pool_allocator(raw, opt.local_pool_allocator.into());
        }
        Ok(handle)
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::Option {
        self.0.as_ptr()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by ncnn_option_create and freed nowhere else.
        unsafe { ffi::ncnn_option_destroy(self.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(handle: &Handle) -> Opt {
        let raw = handle.as_ptr();
        // SAFETY: raw is live as long as the borrowed handle; the getters read plain values.
        unsafe {
            Opt {
                threads: u32::try_from(ffi::ncnn_option_get_num_threads(raw)).unwrap(),
                packing_layout: ffi::ncnn_option_get_use_packing_layout(raw) != 0,
                fp16_packed: ffi::ncnn_option_get_use_fp16_packed(raw) != 0,
                fp16_storage: ffi::ncnn_option_get_use_fp16_storage(raw) != 0,
                fp16_arithmetic: ffi::ncnn_option_get_use_fp16_arithmetic(raw) != 0,
                bf16_packed: ffi::ncnn_option_get_use_bf16_packed(raw) != 0,
                bf16_storage: ffi::ncnn_option_get_use_bf16_storage(raw) != 0,
                int8_packed: ffi::ncnn_option_get_use_int8_packed(raw) != 0,
                int8_storage: ffi::ncnn_option_get_use_int8_storage(raw) != 0,
                int8_arithmetic: ffi::ncnn_option_get_use_int8_arithmetic(raw) != 0,
                winograd_convolution: ffi::ncnn_option_get_use_winograd_convolution(raw) != 0,
                sgemm_convolution: ffi::ncnn_option_get_use_sgemm_convolution(raw) != 0,
                local_pool_allocator: ffi::ncnn_option_get_use_local_pool_allocator(raw) != 0,
                // Not of ncnn's.
                pools: false,
            }
        }
    }

    #[test]
    fn every_option_reaches_ncnn() {
        let default = Opt::default();
        let flips: [fn(&mut Opt); 13] = [
            |o| o.threads = 3,
            |o| o.packing_layout ^= true,
            |o| o.fp16_packed ^= true,
            |o| o.fp16_storage ^= true,
            |o| o.fp16_arithmetic ^= true,
            |o| o.bf16_packed ^= true,
            |o| o.bf16_storage ^= true,
            |o| o.int8_packed ^= true,
            |o| o.int8_storage ^= true,
            |o| o.int8_arithmetic ^= true,
            |o| o.winograd_convolution ^= true,
            |o| o.sgemm_convolution ^= true,
            |o| o.local_pool_allocator ^= true,
        ];
        for flip in flips {
            let mut opt = default;
            flip(&mut opt);
            assert_ne!(opt, default);
            assert_eq!(read_back(&Handle::new(&opt).unwrap()), opt);
        }
    }

    #[test]
    fn defaults_are_those_of_ncnn_but_for_the_threads() {
        // SAFETY: the object is owned by the handle from here on.
        let own = Handle(NonNull::new(unsafe { ffi::ncnn_option_create() }).unwrap());
        assert_eq!(Opt { threads: 1, ..read_back(&own) }, Opt::default());
    }

    #[test]
    fn no_threads_at_all_become_one() {
        let handle = Handle::new(&Opt { threads: 0, ..Opt::default() }).unwrap();
        assert_eq!(read_back(&handle).threads, 1);
    }
}
