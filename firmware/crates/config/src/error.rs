//! What is wrong with settings: every mistake at once, each with its place and the way out.

use std::fmt;

use api::problem::FieldProblem;
use base::error::{ErrorKind, Kind};
use serde_json::Value;

use crate::redact;

/// Longest value in a message, in characters.
const MAX_VALUE: usize = 80;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// JSON pointer to the setting, such as `/cameras/front/encoder/bitrate_kbps`; empty for a
    /// whole file that cannot be read.
    pub pointer: String,
    /// The value that is wrong, as JSON, cut to a readable length; `None` where there is none or
    /// where it is a secret.
    pub value: Option<String>,
    /// What is wrong with it, and what would be right.
    pub reason: String,
    /// Where it was set: a file, `environment variable …`, `command line`; `None`: not known.
    pub origin: Option<String>,
}

impl Mistake {
    /// `reason` is wrong with `value` at `pointer`. The value is shown unless it is a secret.
    pub fn new(
        pointer: impl Into<String>,
        value: Option<&Value>,
        reason: impl Into<String>,
    ) -> Self {
        let pointer = pointer.into();
        let shown = value.filter(|_| !redact::is_secret(&pointer)).map(shorten);
        Self { pointer, value: shown, reason: reason.into(), origin: None }
    }

    /// The same, set by `origin`.
    #[must_use]
    pub fn with_origin(self, origin: &str) -> Self {
        Self { origin: Some(origin.to_owned()), ..self }
    }
}

fn shorten(value: &Value) -> String {
    let text = redact::in_text(&value.to_string());
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            f.write_str(&self.pointer)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.reason)?;
        match self.origin.as_deref().filter(|origin| !origin.is_empty()) {
            Some(origin) => write!(f, " (set by {origin})"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with the settings. One line per mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Mistake>);

impl ConfigErrors {
    /// All of `mistakes`, ordered by their pointers, each once.
    pub fn of(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        mistakes.dedup();
        Self(mistakes)
    }

    /// The mistakes, ordered by their pointers.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }

    /// The mistakes as an error body of the API carries them.
    pub fn field_problems(&self) -> Vec<FieldProblem> {
        let problem = |mistake: &Mistake| FieldProblem {
            pointer: mistake.pointer.clone(),
            detail: mistake.reason.clone(),
        };
        self.0.iter().map(problem).collect()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the settings have a mistake: {one}"),
            all => {
                write!(f, "the settings have {} mistakes:", all.len())?;
                all.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
        }
    }
}

impl std::error::Error for ConfigErrors {}

impl Kind for ConfigErrors {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidArgument
    }
}
