//! RFC 9457 error bodies (`application/problem+json`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every error that the API answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem: `urn:edgecam:problem:<code>`.
    #[serde(rename = "type")]
    #[schema(example = "urn:edgecam:problem:not_found")]
    pub type_: String,
    /// The kind of problem in a few words.
    pub title: String,
    /// HTTP status, 400..=599.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// What went wrong here, and the way out.
    pub detail: String,
    /// Stable word for programs.
    #[schema(example = "not_found")]
    pub code: String,
    /// Everything that is wrong with the input, where it is the input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

/// One thing that is wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// JSON pointer to the field in the body that was sent; `?` and the name for a parameter of
    /// the query.
    #[schema(example = "/encoder/bitrate_kbps")]
    pub pointer: String,
    /// What is wrong with it and what would be right.
    pub detail: String,
}
