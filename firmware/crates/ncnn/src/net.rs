//! A loaded network.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::NonNull;

use crate::extractor::Extractor;
use crate::option::Handle;
use crate::param::{Input, MAX_NAME, Param};
use crate::pool::Pools;
use crate::{Error, Opt, ffi};

/// A network, fully loaded and ready to run. Its weights are its own copy.
#[derive(Debug)]
pub struct Net {
    raw: Raw,
    // After `raw`, which takes memory from it: fields are dropped in this order.
    _pools: Option<Pools>,
    param: Param,
    opt: Opt,
}

/// An `ncnn::Net` with one owner.
#[derive(Debug)]
struct Raw(NonNull<ffi::Net>);

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: made by ncnn_net_create and freed nowhere else; extractors borrow the Net, so
        // none is left. ncnn frees half-loaded nets too: it skips layers that it never made.
        unsafe { ffi::ncnn_net_destroy(self.0.as_ptr()) }
    }
}

// SAFETY: an ncnn::Net has no tie to the thread that made it: no thread-local state, plain heap
// memory, OpenMP takes the calling thread's pool at each run.
unsafe impl Send for Raw {}
// SAFETY: after loading, the safe interface only reads the net: names, and extractors, each of which
// has blobs of its own. What extractors share (weights, and the pools, which lock a mutex) ncnn documents and builds for use from several threads.
unsafe impl Sync for Raw {}

impl Net {
    /// Loads a network from its two files. Checked as in [`Net::from_memory`].
    ///
    /// # Errors
    /// [`Error::ReadFile`] for a file that cannot be read, else those of [`Net::from_memory`].
    pub fn load(param: &Path, bin: &Path, opt: &Opt) -> Result<Self, Error> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| Error::ReadFile { path: path.into(), source })
        };
        let text = String::from_utf8_lossy(&read(param)?).into_owned();
        Self::from_memory(&text, &read(bin)?, opt)
    }

    /// Loads a network from the text of its `.param` file and the bytes of its `.bin` file. ncnn
    /// copies what it needs: neither has to live on.
    ///
    /// # Errors
    /// The structure is checked ([`Error::Param`]) before ncnn sees it; weights that do not fill
    /// it exactly are refused, so that files of two different models do not pass for one.
    pub fn from_memory(param: &str, bin: &[u8], opt: &Opt) -> Result<Self, Error> {
        let checked = Param::parse(param)?;
        let text = CString::new(param).map_err(|_| Error::LoadParam { code: -1 })?;
        let options = Handle::new(opt)?;
        let pools = opt.pools.then(Pools::new).transpose()?;
        if let Some(pools) = &pools {
            pools.enter(&options);
        }
        // SAFETY: takes nothing; the object is owned by Raw from here on.
        let raw = NonNull::new(unsafe { ffi::ncnn_net_create() });
        let raw = Raw(raw.ok_or(Error::OutOfMemory { what: "a net" })?);
        // SAFETY: both objects are live; ncnn copies the options.
        unsafe { ffi::ncnn_net_set_option(raw.0.as_ptr(), options.as_ptr()) };
        // SAFETY: the net is live and empty; the text ends in NUL, lives through the call, and its
        // structure was checked above. ncnn keeps no pointer into it.
        let code = unsafe { ffi::ncnn_net_load_param_memory(raw.0.as_ptr(), text.as_ptr()) };
        if code != 0 {
            return Err(Error::LoadParam { code });
        }
        load_weights(&raw, bin)?;
        Ok(Self { raw, _pools: pools, param: checked, opt: *opt })
    }

    /// The checked structure.
    pub fn param(&self) -> &Param {
        &self.param
    }

    /// The options that it was loaded with.
    pub fn opt(&self) -> &Opt {
        &self.opt
    }

    /// Names of the inputs as ncnn sees them.
    pub fn input_names(&self) -> Vec<String> {
        self.names(ffi::ncnn_net_get_input_count, ffi::ncnn_net_get_input_name)
    }

    /// Names of the outputs as ncnn sees them: the blobs that no layer reads.
    pub fn output_names(&self) -> Vec<String> {
        self.names(ffi::ncnn_net_get_output_count, ffi::ncnn_net_get_output_name)
    }

    /// A new run of the network.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn extractor(&self) -> Result<Extractor<'_>, Error> {
        Extractor::new(self)
    }

    /// Hands the name of a blob to ncnn, or the error that the net has none of that name.
    pub(crate) fn with_name<R>(
        &self,
        name: &str,
        use_it: impl FnOnce(&CStr) -> R,
    ) -> Result<R, Error> {
        if !self.param.has_blob(name) {
            return Err(self.unknown(name));
        }
        // On the stack: a run allocates nothing for names. Blobs' names are that short.
        let mut bytes = [0; MAX_NAME + 1];
        let text = bytes.get_mut(..name.len()).ok_or_else(|| self.unknown(name))?;
        text.copy_from_slice(name.as_bytes());
        let c_name = CStr::from_bytes_until_nul(&bytes).map_err(|_| self.unknown(name))?;
        Ok(use_it(c_name))
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::Net {
        self.raw.0.as_ptr()
    }

    /// The place and the facts of the input called `name`.
    pub(crate) fn find_input(&self, name: &str) -> Result<(usize, &Input), Error> {
        let found = self.param.inputs().iter().enumerate().find(|(_, input)| input.name == name);
        found.ok_or_else(|| {
            if self.param.has_blob(name) {
                Error::NotAnInput { name: name.to_owned(), inputs: self.input_names() }
            } else {
                self.unknown(name)
            }
        })
    }

    pub(crate) fn unknown(&self, name: &str) -> Error {
        Error::UnknownBlob {
            name: name.to_owned(),
            inputs: self.input_names(),
            outputs: self.output_names(),
        }
    }

    fn names(
        &self,
        count: unsafe extern "C-unwind" fn(*mut ffi::Net) -> i32,
        name: unsafe extern "C-unwind" fn(*mut ffi::Net, i32) -> *const std::ffi::c_char,
    ) -> Vec<String> {
        // SAFETY: the net is live; counting reads a vector's length.
        let count = unsafe { count(self.as_ptr()) };
        let one = |i| {
            // SAFETY: i is below the count; the string belongs to the net, which the loading is
            // over for, and is copied at once.
            unsafe { CStr::from_ptr(name(self.as_ptr(), i)) }.to_string_lossy().into_owned()
        };
        (0..count).map(one).collect()
    }
}

fn load_weights(net: &Raw, bin: &[u8]) -> Result<(), Error> {
    let file = Reader::new(bin)?;
    // SAFETY: both objects are live through the call; ncnn copies what it reads (a stdio reader
    // cannot lend its memory).
    let code = unsafe { ffi::ncnn_net_load_model_datareader(net.0.as_ptr(), file.reader.as_ptr()) };
    if file.ran_out() {
        return Err(Error::WeightsTooShort { len: bin.len() });
    }
    if code != 0 {
        return Err(Error::LoadWeights { code });
    }
    match file.taken() {
        taken if taken == bin.len() => Ok(()),
        taken => Err(Error::WeightsTooLong { taken, len: bin.len() }),
    }
}

/// ncnn's reader over a stdio stream over a slice. ncnn's own reader over memory is not told where
/// the memory ends.
struct Reader<'b> {
    reader: NonNull<ffi::DataReader>,
    stream: NonNull<ffi::File>,
    _bytes: std::marker::PhantomData<&'b [u8]>,
}

impl<'b> Reader<'b> {
    fn new(bytes: &'b [u8]) -> Result<Self, Error> {
        let no_memory = Error::OutOfMemory { what: "reading the weights" };
        if bytes.is_empty() {
            return Err(Error::WeightsTooShort { len: 0 });
        }
        let start = bytes.as_ptr().cast_mut().cast();
        // SAFETY: the slice outlives the reader ('b), and "r" makes a stream that only reads it.
        let stream = unsafe { ffi::fmemopen(start, bytes.len(), c"rb".as_ptr()) };
        let Some(stream) = NonNull::new(stream) else { return Err(no_memory) };
        // SAFETY: the stream is open, and stays so until the reader is destroyed.
        let reader = unsafe { ffi::ncnn_datareader_create_from_stdio(stream.as_ptr()) };
        match NonNull::new(reader) {
            Some(reader) => Ok(Self { reader, stream, _bytes: std::marker::PhantomData }),
            None => {
                // SAFETY: opened above, and nobody else has it.
                unsafe { ffi::fclose(stream.as_ptr()) };
                Err(no_memory)
            }
        }
    }

    /// Whether more was asked for than there is.
    fn ran_out(&self) -> bool {
        // SAFETY: the stream is open.
        unsafe { ffi::feof(self.stream.as_ptr()) != 0 }
    }

    fn taken(&self) -> usize {
        // SAFETY: the stream is open.
        usize::try_from(unsafe { ffi::ftell(self.stream.as_ptr()) }).unwrap_or(0)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed nowhere else; the reader goes before the
        // stream that it reads from.
        unsafe {
            ffi::ncnn_datareader_destroy(self.reader.as_ptr());
            ffi::fclose(self.stream.as_ptr());
        }
    }
}
