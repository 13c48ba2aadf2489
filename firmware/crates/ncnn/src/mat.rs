//! What goes into a network: pixels, scaled, padded and normalised.

use std::ptr::NonNull;

use crate::option::Handle;
use crate::{Error, Opt, ffi};

/// Greatest width and height. Keeps every product of two sides, channels and element size inside
/// ncnn's 32-bit integers.
pub const MAX_SIDE: usize = 8192;

/// Order of the three bytes of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

impl PixelOrder {
    fn code(self) -> i32 {
        match self {
            Self::Rgb => ffi::PIXEL_RGB,
            Self::Bgr => ffi::PIXEL_BGR,
        }
    }
}

/// A block of 32-bit floats: channels of rows of columns. The only owner of its memory, so it can be
/// changed; what comes out of a network is an [`Output`](crate::Output), which cannot.
#[derive(Debug)]
pub struct Mat(NonNull<ffi::Mat>);

// SAFETY: plain heap memory without a tie to a thread; the reference count that ncnn shares it by is
// atomic.
unsafe impl Send for Mat {}
// SAFETY: through a shared reference it is only read.
unsafe impl Sync for Mat {}

impl Mat {
    /// A block of `width` × `height` × `channels` floats, all `value`.
    ///
    /// # Errors
    /// [`Error::Size`] outside 1..=[`MAX_SIDE`] (channels outside 1..=64), [`Error::OutOfMemory`].
    pub fn filled(width: usize, height: usize, channels: usize, value: f32) -> Result<Self, Error> {
        let (w, h) = size("a block", width, height, 1)?;
        let c = i32::try_from(channels).ok().filter(|c| (1..=64).contains(c));
        let c = c.ok_or(Error::Size {
            what: "a block's channels",
            width: channels,
            height: 1,
            min: 1,
        })?;
        // SAFETY: the sizes are positive and their product fits; no allocator means ncnn's default.
        let mat = Self::own(unsafe { ffi::ncnn_mat_create_3d(w, h, c, std::ptr::null_mut()) })?;
        // SAFETY: the Mat is live and ours alone.
        unsafe { ffi::ncnn_mat_fill_float(mat.as_ptr(), value) };
        Ok(mat)
    }

    /// A picture of `width` × `height` packed pixels of 3 bytes in the order `from`, scaled to
    /// `to_width` × `to_height` (bilinear, in 8 bits, as ncnn does it) with its channels in the order
    /// `to`, as floats 0..=255.
    ///
    /// # Errors
    /// [`Error::PixelBytes`] when `pixels` is not exactly the picture; [`Error::Size`] for sides
    /// outside 2..=[`MAX_SIDE`]: ncnn's scaling reads two neighbours in each direction.
    pub fn from_pixels(
        pixels: &[u8],
        (width, height): (usize, usize),
        from: PixelOrder,
        (to_width, to_height): (usize, usize),
        to: PixelOrder,
    ) -> Result<Self, Error> {
        let (w, h) = size("a picture", width, height, 2)?;
        let (to_w, to_h) = size("a scaled picture", to_width, to_height, 2)?;
        let expected = width * height * 3;
        if pixels.len() != expected {
            return Err(Error::PixelBytes { width, height, expected, found: pixels.len() });
        }
        let kind = match from == to {
            true => from.code(),
            false => from.code() | to.code() << ffi::PIXEL_CONVERT_SHIFT,
        };
        let none = std::ptr::null_mut();
        // SAFETY: the slice holds h rows of w * 3 bytes, which is the stride given; ncnn reads it
        // during the call only.
        Self::own(unsafe {
            ffi::ncnn_mat_from_pixels_resize(pixels.as_ptr(), kind, w, h, w * 3, to_w, to_h, none)
        })
    }

    /// The block with a border of `value` around it: `top`, `bottom`, `left` and `right` wide.
    ///
    /// # Errors
    /// [`Error::Size`] when the whole gets larger than [`MAX_SIDE`], [`Error::OutOfMemory`].
    pub fn with_border(
        &self,
        (top, bottom, left, right): (usize, usize, usize, usize),
        value: f32,
    ) -> Result<Self, Error> {
        let limit = |n: usize| n.min(MAX_SIDE + 1);
        let width = self.width() + limit(left) + limit(right);
        let height = self.height() + limit(top) + limit(bottom);
        size("a block with its border", width, height, 1)?;
        let int = |n: usize| i32::try_from(n).unwrap_or(0);
        let options = Handle::new(&Opt::default())?;
        // SAFETY: takes nothing; owned from here on.
        let mat = Self(
            NonNull::new(unsafe { ffi::ncnn_mat_create() })
                .ok_or(Error::OutOfMemory { what: "a block" })?,
        );
        // SAFETY: all three objects are live; the sum of sizes was checked; dst is empty and ours.
        unsafe {
            ffi::ncnn_copy_make_border(
                self.as_ptr(),
                mat.as_ptr(),
                int(top),
                int(bottom),
                int(left),
                int(right),
                ffi::BORDER_CONSTANT,
                value,
                options.as_ptr(),
            );
        }
        if (top, bottom, left, right) == (0, 0, 0, 0) {
            // Without a border ncnn shares the memory instead of copying it.
            return self.try_clone();
        }
        mat.checked()
    }

    /// Makes `(value - mean) * norm` of every value, with one mean and norm a channel.
    ///
    /// # Errors
    /// [`Error::ChannelValues`] when there are not as many of each as channels.
    pub fn substract_mean_normalize(&mut self, mean: &[f32], norm: &[f32]) -> Result<(), Error> {
        let channels = self.channels();
        for values in [mean, norm] {
            if values.len() != channels {
                return Err(Error::ChannelValues { channels, found: values.len() });
            }
        }
        // SAFETY: the Mat is live and ours alone (&mut); ncnn reads one value a channel of each.
        unsafe {
            ffi::ncnn_mat_substract_mean_normalize(self.as_ptr(), mean.as_ptr(), norm.as_ptr());
        }
        Ok(())
    }

    /// A copy with memory of its own.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn try_clone(&self) -> Result<Self, Error> {
        // SAFETY: the Mat is live; the copy is deep.
        Self::own(unsafe { ffi::ncnn_mat_clone(self.as_ptr(), std::ptr::null_mut()) })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        // SAFETY: the Mat is live.
        to_usize(unsafe { ffi::ncnn_mat_get_w(self.as_ptr()) })
    }

    /// Rows.
    pub fn height(&self) -> usize {
        // SAFETY: the Mat is live.
        to_usize(unsafe { ffi::ncnn_mat_get_h(self.as_ptr()) })
    }

    /// Channels.
    pub fn channels(&self) -> usize {
        // SAFETY: the Mat is live.
        to_usize(unsafe { ffi::ncnn_mat_get_c(self.as_ptr()) })
    }

    /// The values of one channel, row by row.
    ///
    /// # Panics
    /// When there is no such channel.
    pub fn channel(&self, channel: usize) -> &[f32] {
        assert!(channel < self.channels(), "channel {channel} of {}", self.channels());
        let len = self.width() * self.height();
        // SAFETY: the channel exists and holds width × height floats in one piece (every Mat of
        // this type is 3-dimensional and unpacked); nobody writes while it is borrowed.
        unsafe {
            let start = ffi::ncnn_mat_get_channel_data(self.as_ptr(), channel as i32);
            std::slice::from_raw_parts(start.cast::<f32>().cast_const(), len)
        }
    }

    /// The values of all channels, row by row, to be written.
    ///
    /// # Panics
    /// When there are not `N` channels.
    pub fn channels_mut<const N: usize>(&mut self) -> [&mut [f32]; N] {
        assert!(self.channels() == N, "{} channels instead of {N}", self.channels());
        let len = self.width() * self.height();
        std::array::from_fn(|channel| {
            // SAFETY: the channel exists and holds width × height floats in one piece, apart from
            // those of the others; the Mat is its memory's only owner and borrowed for as long.
            unsafe {
                let start = ffi::ncnn_mat_get_channel_data(self.as_ptr(), channel as i32);
                std::slice::from_raw_parts_mut(start.cast::<f32>(), len)
            }
        })
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::Mat {
        self.0.as_ptr()
    }

    fn own(raw: *mut ffi::Mat) -> Result<Self, Error> {
        Self(NonNull::new(raw).ok_or(Error::OutOfMemory { what: "a block" })?).checked()
    }

    /// ncnn answers a failed allocation with an empty Mat.
    fn checked(self) -> Result<Self, Error> {
        // SAFETY: the Mat is live.
        let data = unsafe { ffi::ncnn_mat_get_data(self.as_ptr()) };
        if data.is_null() { Err(Error::OutOfMemory { what: "a block" }) } else { Ok(self) }
    }
}

impl Drop for Mat {
    fn drop(&mut self) {
        // SAFETY: owned by this Mat and freed nowhere else; ncnn's own references are counted.
        unsafe { ffi::ncnn_mat_destroy(self.as_ptr()) }
    }
}

fn size(what: &'static str, width: usize, height: usize, min: usize) -> Result<(i32, i32), Error> {
    let fits = |n: usize| i32::try_from(n).ok().filter(|_| (min..=MAX_SIDE).contains(&n));
    fits(width).zip(fits(height)).ok_or(Error::Size { what, width, height, min })
}

/// Sizes come back from ncnn as ints; they are never negative.
pub(crate) fn to_usize(n: i32) -> usize {
    usize::try_from(n).unwrap_or(0)
}
