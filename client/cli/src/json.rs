//! Data as JSON: one document, indented, with a newline at its end; or a line for each element.

use serde::Serialize;

use crate::{exit::Exit, failure::Failure, terminal::View};

/// The document.
pub(crate) fn document<T: Serialize + ?Sized>(data: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(data).map(|text| text + "\n").map_err(unwritable)
}

/// The elements of a list, one a line; anything else on one line.
pub(crate) fn lines<V: View>(view: &V) -> Result<String, Failure> {
    let mut data = serde_json::to_value(view).map_err(unwritable)?;
    let rows = V::ROWS.and_then(|rows| data.get_mut(rows)?.as_array_mut().map(std::mem::take));
    let rows = rows.unwrap_or_else(|| vec![data]);
    Ok(rows.iter().map(|row| format!("{row}\n")).collect())
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::new(
        Exit::Unavailable,
        "The data cannot be written as JSON",
        format!("{error}."),
        "Ask for a table with -o table, and report this.",
    )
}
