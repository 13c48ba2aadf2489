//! What `make ota-test` built for the tests, named by `EDGECAM_E2E`.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

/// A built image with its updates and the tools for them.
#[derive(Clone, Debug)]
pub struct Image {
    folder: PathBuf,
    tools: PathBuf,
}

impl Image {
    /// The one that is to be tested; `None` and a line that says so where there is none.
    pub fn of_this_run(test: &str) -> Option<Self> {
        let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        match (named("EDGECAM_E2E"), named("EDGECAM_IMAGE_TOOLS")) {
            (Some(folder), Some(tools)) => {
                Some(Self { folder: folder.into(), tools: tools.into() })
            }
            _ => {
                let why = "no image is built; `make ota-test` does it";
                drop(writeln!(std::io::stderr(), "skipped: {test}: {why}"));
                None
            }
        }
    }

    /// A file that was built: the card, or an update.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program of the image's tools.
    pub fn tool(&self, name: &str) -> Command {
        Command::new(self.tools.join("wrap").join(name))
    }

    /// A file of a package of the tools.
    pub fn tool_file(&self, path: &str) -> PathBuf {
        self.tools.join(path)
    }

    /// Runs a tool to its end.
    ///
    /// # Errors
    /// When it cannot be run or fails.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        name: &str,
        args: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Vec<u8>> {
        let output = self.tool(name).args(args).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("{name} cannot be run"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{name} failed: {}", said.trim());
        Ok(output.stdout)
    }

    /// Where the serial logs of machines stay: one for each test.
    pub fn logs(&self) -> &Path {
        &self.folder
    }
}
