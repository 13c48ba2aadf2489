//! Loops compiled twice: for the vectors that every CPU of the architecture has, and for wider ones.

/// Runs `work`, compiled for AVX2 where the CPU has it (x86-64; elsewhere as any other code: arm64
/// has its vectors always). Of use for loops that the compiler turns into SIMD, in `work` itself or in
/// functions that are inlined into it. Results are the same to the bit: the compiler contracts no
/// floating-point operations.
#[inline(always)]
pub fn widest<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2, and its kernel keeps the registers.
            return unsafe { avx2(work) };
        }
    }
    work()
}

#[cfg(test)]
mod tests {
    #[test]
    fn work_is_done_once_and_its_result_handed_out() {
        let mut times = 0;
        let sum = super::widest(|| {
            times += 1;
            (1..=100u32).sum::<u32>()
        });
        assert_eq!((sum, times), (5050, 1));
    }
}
