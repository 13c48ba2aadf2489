//! One run of a network, and what comes out.

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::mat::{Mat, to_usize};
use crate::{Error, Net, ffi};

/// One run of a network: inputs are given, then blobs are extracted, in any order; ncnn computes what
/// it needs for each and remembers it.
///
/// A net and the inputs outlive the run, and what it gives out may outlive it:
/// ```
/// fn in_order(net: edgecam_ncnn::Net, input: edgecam_ncnn::Mat) {
///     let mut run = net.extractor().unwrap();
///     run.input("in", &input).unwrap();
///     let out = run.extract("out").unwrap();
///     drop(run);
///     println!("{}", out.channel(0)[0]);
///     drop(out);
///     drop(input);
///     drop(net);
/// }
/// ```
/// ```compile_fail,E0505
/// fn late(net: edgecam_ncnn::Net) {
///     let run = net.extractor().unwrap();
///     drop(net);
///     drop(run);
/// }
/// ```
/// ```compile_fail,E0505
/// fn freed_input(net: &edgecam_ncnn::Net, input: edgecam_ncnn::Mat) {
///     let mut run = net.extractor().unwrap();
///     run.input("in", &input).unwrap();
///     drop(input);
///     run.extract("out").unwrap();
/// }
/// ```
/// An input cannot change while the run, or something it gave out, may read it:
/// ```compile_fail,E0502
/// fn changed_input(net: &edgecam_ncnn::Net, mut input: edgecam_ncnn::Mat) {
///     let mut run = net.extractor().unwrap();
///     run.input("in", &input).unwrap();
///     let out = run.extract("out").unwrap();
///     drop(run);
///     input.substract_mean_normalize(&[0.0], &[1.0]).unwrap();
///     println!("{}", out.channel(0)[0]);
/// }
/// ```
#[derive(Debug)]
pub struct Extractor<'a> {
    raw: NonNull<ffi::Extractor>,
    net: &'a Net,
    /// Which of the net's inputs are given, a bit each.
    given: u64,
    _inputs: PhantomData<&'a Mat>,
}

// SAFETY: an ncnn::Extractor is plain heap memory without a tie to a thread; what it refers to (net
// and inputs) is Sync. It is not made Sync: extracting changes it, and needs &mut.
unsafe impl Send for Extractor<'_> {}

impl<'a> Extractor<'a> {
    pub(crate) fn new(net: &'a Net) -> Result<Self, Error> {
        // SAFETY: the net is live and loaded; the object is owned from here on.
        let raw = NonNull::new(unsafe { ffi::ncnn_extractor_create(net.as_ptr()) });
        let raw = raw.ok_or(Error::OutOfMemory { what: "a run" })?;
        Ok(Self { raw, net, given: 0, _inputs: PhantomData })
    }

    /// Gives the input called `name`. ncnn refers to the Mat's memory; it does not copy it.
    ///
    /// # Errors
    /// [`Error::UnknownBlob`], [`Error::NotAnInput`], [`Error::InputChannels`].
    pub fn input(&mut self, name: &str, mat: &'a Mat) -> Result<(), Error> {
        let (index, input) = self.net.find_input(name)?;
        if let Some(expected) = input.channels
            && expected != mat.channels()
        {
            let name = name.to_owned();
            return Err(Error::InputChannels { name, expected, found: mat.channels() });
        }
        // SAFETY: run and Mat are live; ncnn copies the name's meaning and counts a reference to the
        // Mat's memory, which stays unchanged as long as this run and its outputs live ('a).
        let code = self.net.with_name(name, |name| unsafe {
            ffi::ncnn_extractor_input(self.raw.as_ptr(), name.as_ptr(), mat.as_ptr())
        })?;
        if code != 0 {
            return Err(self.net.unknown(name));
        }
        self.given |= 1 << index;
        Ok(())
    }

    /// Computes the blob called `name`, any blob of the structure, not only an output.
    ///
    /// # Errors
    /// [`Error::UnknownBlob`], [`Error::MissingInput`] when not all inputs are given,
    /// [`Error::Extract`] when a layer fails, [`Error::NotFloats`].
    pub fn extract(&mut self, name: &str) -> Result<Output<'a>, Error> {
        if !self.net.param().has_blob(name) {
            return Err(self.net.unknown(name));
        }
        // The first that is missing, if there are so many inputs.
        let missing = self.given.trailing_ones() as usize;
        if let Some(input) = self.net.param().inputs().get(missing) {
            return Err(Error::MissingInput { name: input.name.clone() });
        }
        let mut out = std::ptr::null_mut();
        // SAFETY: the run is live, the net under it loaded, all inputs given; ncnn stores a new Mat
        // in `out`, also when it fails.
        let code = self.net.with_name(name, |name| unsafe {
            ffi::ncnn_extractor_extract(self.raw.as_ptr(), name.as_ptr(), &raw mut out)
        })?;
        let out = NonNull::new(out).map(|raw| Output { raw, _run: PhantomData });
        match out {
            Some(out) if code == 0 => out.checked(name),
            _ => Err(Error::Extract { name: name.to_owned(), code }),
        }
    }
}

impl Drop for Extractor<'_> {
    fn drop(&mut self) {
        // SAFETY: made by ncnn_extractor_create, freed nowhere else; the net is still live ('a).
        unsafe { ffi::ncnn_extractor_destroy(self.raw.as_ptr()) }
    }
}

/// A computed blob of 32-bit floats; read only, because a run may share its memory between blobs.
/// Outlives its run, not its net:
/// ```compile_fail,E0505
/// fn late(net: edgecam_ncnn::Net) {
///     let out = net.extractor().unwrap().extract("out").unwrap();
///     drop(net);
///     println!("{}", out.channel(0)[0]);
/// }
/// ```
/// ```compile_fail,E0505
/// fn freed(out: edgecam_ncnn::Output<'_>) {
///     let values = out.channel(0);
///     drop(out);
///     println!("{}", values[0]);
/// }
/// ```
#[derive(Debug)]
pub struct Output<'a> {
    raw: NonNull<ffi::Mat>,
    _run: PhantomData<&'a Net>,
}

// SAFETY: plain heap memory without a tie to a thread; its reference count is atomic.
unsafe impl Send for Output<'_> {}
// SAFETY: nothing of the interface writes to it.
unsafe impl Sync for Output<'_> {}

impl Output<'_> {
    /// Dimensions: 1 (columns), 2 (rows of columns), 3 (channels of rows of columns) or 4.
    pub fn dims(&self) -> usize {
        // SAFETY: the Mat is live.
        to_usize(unsafe { ffi::ncnn_mat_get_dims(self.raw.as_ptr()) })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        // SAFETY: the Mat is live.
        to_usize(unsafe { ffi::ncnn_mat_get_w(self.raw.as_ptr()) })
    }

    /// Rows; 1 with fewer than 2 dimensions.
    pub fn height(&self) -> usize {
        // SAFETY: the Mat is live.
        to_usize(unsafe { ffi::ncnn_mat_get_h(self.raw.as_ptr()) })
    }

    /// Layers of rows; 1 with fewer than 4 dimensions.
    pub fn depth(&self) -> usize {
        // SAFETY: the Mat is live.
        to_usize(unsafe { ffi::ncnn_mat_get_d(self.raw.as_ptr()) })
    }

    /// Channels; 1 with fewer than 3 dimensions.
    pub fn channels(&self) -> usize {
        // SAFETY: the Mat is live.
        to_usize(unsafe { ffi::ncnn_mat_get_c(self.raw.as_ptr()) })
    }

    /// The values of one channel, row by row: `width` × `height` × `depth` of them.
    ///
    /// # Panics
    /// When there is no such channel.
    pub fn channel(&self, channel: usize) -> &[f32] {
        assert!(channel < self.channels(), "channel {channel} of {}", self.channels());
        let len = self.width() * self.height() * self.depth();
        // SAFETY: the channel exists and holds that many floats in one piece (checked when it was
        // extracted: elements of 4 bytes, unpacked, not empty); nobody writes to it.
        unsafe {
            let start = ffi::ncnn_mat_get_channel_data(self.raw.as_ptr(), channel as i32);
            std::slice::from_raw_parts(start.cast::<f32>().cast_const(), len)
        }
    }

    fn checked(self, name: &str) -> Result<Self, Error> {
        let raw = self.raw.as_ptr();
        // SAFETY: the Mat is live.
        let (data, element_bytes, pack) = unsafe {
            (
                ffi::ncnn_mat_get_data(raw),
                ffi::ncnn_mat_get_elemsize(raw),
                ffi::ncnn_mat_get_elempack(raw),
            )
        };
        if data.is_null() {
            return Err(Error::Extract { name: name.to_owned(), code: 0 });
        }
        if element_bytes != size_of::<f32>() || pack != 1 {
            return Err(Error::NotFloats { name: name.to_owned(), element_bytes, pack });
        }
        Ok(self)
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        // SAFETY: owned by this Output and freed nowhere else; ncnn's own references are counted.
        unsafe { ffi::ncnn_mat_destroy(self.raw.as_ptr()) }
    }
}
