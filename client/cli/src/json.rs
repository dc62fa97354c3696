//! Data as JSON: one document, indented, with a newline at its end.

use serde::Serialize;

use crate::{exit::Exit, failure::Failure};

/// The document.
pub(crate) fn document<T: Serialize + ?Sized>(data: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(data).map(|text| text + "\n").map_err(|error| {
        Failure::new(
            Exit::Unavailable,
            "The data cannot be written as JSON",
            format!("{error}."),
            "Ask for a table with -o table, and report this.",
        )
    })
}
