//! One element of a plan: a value, not yet a GStreamer object.

use std::fmt;

/// An element to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementSpec {
    /// Its factory.
    pub factory: &'static str,
    /// Its name, unique in the pipeline.
    pub name: &'static str,
    /// Properties in GStreamer's text form, set in this order.
    pub props: Vec<(&'static str, String)>,
    /// Properties whose values are shown to nobody.
    pub secrets: Vec<&'static str>,
}

impl ElementSpec {
    /// An element with its defaults.
    pub(crate) fn new(factory: &'static str, name: &'static str) -> Self {
        Self { factory, name, props: Vec::new(), secrets: Vec::new() }
    }

    /// A filter that lets only `caps` pass.
    pub(crate) fn caps(name: &'static str, caps: impl Into<String>) -> Self {
        Self::new("capsfilter", name).with("caps", caps.into())
    }

    /// With one more property.
    pub(crate) fn with(mut self, property: &'static str, value: impl fmt::Display) -> Self {
        self.props.push((property, value.to_string()));
        self
    }

    /// With one more property that must not be shown.
    pub(crate) fn with_secret(mut self, property: &'static str, value: String) -> Self {
        self.secrets.push(property);
        self.with(property, value)
    }
}

impl fmt::Display for ElementSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} name={}", self.factory, self.name)?;
        self.props.iter().try_for_each(|(name, value)| {
            let shown = if self.secrets.contains(name) { "…" } else { value };
            write!(f, " {name}={shown}")
        })
    }
}
