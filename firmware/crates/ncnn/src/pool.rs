//! Memory that a network keeps from run to run.

use std::alloc::Layout;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use crate::option::Handle;
use crate::{Error, ffi};

/// Alignment of blobs: what ncnn's AVX-512 code asks for, the most of all.
const ALIGN: usize = 64;
/// ncnn's loops read this far beyond the end (`NCNN_MALLOC_OVERREAD`).
const OVERREAD: usize = 64;

/// Memory for blobs, and for what layers need meanwhile, with one owner.
///
/// Beside the pools that ncnn makes for a net they have three advantages. What is extracted stays
/// where it was computed: from its own pools ncnn copies it into fresh memory, so that it may outlive
/// the net, which an [`Output`](crate::Output) never does. They allocate no list nodes. And of
/// the blocks that fit they give the one that was used last, which the caches still have; ncnn's give
/// the first of a queue, whatever its size.
///
/// What a run still allocates elsewhere is small: its own object and list of blobs, lists of inputs of
/// layers that have several, a header for each extracted blob, and OpenMP's team for each loop.
#[derive(Debug)]
pub(crate) struct Pools {
    blobs: Pool,
    workspace: Pool,
}

impl Pools {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self { blobs: Pool::new()?, workspace: Pool::new()? })
    }

    /// Makes a net with `options` take its memory here. It must be gone before the pools.
    pub(crate) fn enter(&self, options: &Handle) {
        // SAFETY: all objects are live; the options remember the pools' addresses, which stay until
        // the net is gone.
        self.blobs.enter(|pool| unsafe {
            ffi::ncnn_option_set_blob_allocator(options.as_ptr(), pool);
        });
        // SAFETY: as above.
        self.workspace.enter(|pool| unsafe {
            ffi::ncnn_option_set_workspace_allocator(options.as_ptr(), pool);
        });
    }
}

/// One of ncnn's allocator objects, with our functions in place of its own.
#[derive(Debug)]
struct Pool {
    raw: NonNull<ffi::Allocator>,
    /// The C++ object behind it, which options and the destructor want to find in `pthis`; at all
    /// other times `blocks` is there, for our functions to find.
    object: *mut c_void,
    blocks: NonNull<Mutex<Blocks>>,
}

// SAFETY: plain heap memory without a tie to a thread; the blocks are behind a mutex.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Pool {
    fn new() -> Result<Self, Error> {
        // SAFETY: takes nothing; the object is owned from here on.
        let raw = unsafe { ffi::ncnn_allocator_create_pool_allocator() };
        let raw = NonNull::new(raw).ok_or(Error::OutOfMemory { what: "a pool" })?;
        let blocks = NonNull::from(Box::leak(Box::<Mutex<Blocks>>::default()));
        // SAFETY: the object is live and nobody else has it.
        let object = unsafe {
            (*raw.as_ptr()).fast_malloc = Some(lend);
            (*raw.as_ptr()).fast_free = Some(take_back);
            (*raw.as_ptr()).pthis
        };
        Ok(Self { raw, object, blocks })
    }

    fn enter(&self, set: impl FnOnce(*mut ffi::Allocator)) {
        self.show(self.object);
        set(self.raw.as_ptr());
        self.show(self.blocks.as_ptr().cast());
    }

    fn show(&self, pthis: *mut c_void) {
        // SAFETY: the object is live; nets read it while they run, and the pool is entered or
        // dropped only before its net is made or after it is gone.
        unsafe { (*self.raw.as_ptr()).pthis = pthis };
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.show(self.object);
        // SAFETY: made by ncnn_allocator_create_pool_allocator and leaked by `new`, freed nowhere
        // else; nobody has memory of the pool any more, nor will ask for it (`Net`).
        unsafe {
            ffi::ncnn_allocator_destroy(self.raw.as_ptr());
            drop(Box::from_raw(self.blocks.as_ptr()));
        }
    }
}

/// What ncnn calls to allocate.
extern "C-unwind" fn lend(allocator: *mut ffi::Allocator, size: usize) -> *mut c_void {
    // SAFETY: ncnn hands back the allocator that a net was given, in whose `pthis` are the blocks
    // (`Pool::enter`).
    let blocks = unsafe { &*(*allocator).pthis.cast::<Mutex<Blocks>>() };
    blocks.lock().unwrap_or_else(PoisonError::into_inner).lend(size).cast()
}

/// What ncnn calls to free.
extern "C-unwind" fn take_back(allocator: *mut ffi::Allocator, start: *mut c_void) {
    // SAFETY: as in `lend`.
    let blocks = unsafe { &*(*allocator).pthis.cast::<Mutex<Blocks>>() };
    blocks.lock().unwrap_or_else(PoisonError::into_inner).take_back(start.cast());
}

/// Blocks of memory, used again and again and freed together.
#[derive(Debug, Default)]
struct Blocks {
    /// In the order in which they came back.
    free: Vec<Block>,
    lent: Vec<Block>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    start: *mut u8,
    layout: Layout,
}

// SAFETY: a block is plain memory that the pool owns.
unsafe impl Send for Block {}

impl Blocks {
    /// The smallest free block that holds `size` bytes, of equals the one that came back last, or a
    /// new one; null without memory.
    fn lend(&mut self, size: usize) -> *mut u8 {
        let Some(layout) =
            size.checked_add(OVERREAD).and_then(|bytes| Layout::from_size_align(bytes, ALIGN).ok())
        else {
            return std::ptr::null_mut();
        };
        let fitting = self.free.iter().enumerate().rev();
        let fitting = fitting.filter(|(_, block)| block.layout.size() >= layout.size());
        let block = match fitting.min_by_key(|(_, block)| block.layout.size()) {
            // The order of the others stays.
            Some((index, _)) => self.free.remove(index),
            None => {
                // SAFETY: the layout is not empty.
                let start = unsafe { std::alloc::alloc(layout) };
                if start.is_null() {
                    return start;
                }
                Block { start, layout }
            }
        };
        self.lent.push(block);
        block.start
    }

    fn take_back(&mut self, start: *mut u8) {
        // Mostly what was lent last; an address that was not lent stays what it is.
        if let Some(index) = self.lent.iter().rposition(|block| block.start == start) {
            self.free.push(self.lent.swap_remove(index));
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        for block in self.free.drain(..).chain(self.lent.drain(..)) {
            // SAFETY: allocated by `lend` with this layout, freed nowhere else.
            unsafe { std::alloc::dealloc(block.start, block.layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_and_is_lent_again_to_what_fits_it_best() {
        let mut blocks = Blocks::default();
        let (small, large) = (blocks.lend(1000), blocks.lend(100_000));
        assert_eq!((small as usize % ALIGN, large as usize % ALIGN), (0, 0));
        blocks.take_back(small);
        blocks.take_back(large);
        assert_eq!(blocks.lend(900), small);
        assert_eq!(blocks.lend(900), large);
        let third = blocks.lend(1);
        assert!(third != small && third != large);
    }

    #[test]
    fn of_equal_blocks_the_one_that_came_back_last_is_lent() {
        let mut blocks = Blocks::default();
        let lent = [0; 3].map(|_| blocks.lend(64));
        [lent[1], lent[2], lent[0]].into_iter().for_each(|start| blocks.take_back(start));
        assert_eq!([0; 3].map(|_| blocks.lend(64)), [lent[0], lent[2], lent[1]]);
    }

    #[test]
    fn a_size_that_no_memory_has_is_refused() {
        assert!(Blocks::default().lend(usize::MAX).is_null());
        assert!(Blocks::default().lend(isize::MAX as usize - 200).is_null());
    }
}
