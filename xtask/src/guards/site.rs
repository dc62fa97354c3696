//! The places that refuse.

use std::{error::Error, fmt, path::Path};

use crate::trace::{
    Text,
    guards::{self, Kind},
    is_citing, texts,
};

/// A guard, as the test binaries know it.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// `file:line`, the file from the workspace.
    pub(super) place: String,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.place)
    }
}

/// Every guard of what is shipped, in order of place.
pub(super) fn find(root: &Path) -> Result<Vec<Site>, Box<dyn Error>> {
    let code = texts(root, root, "rs", true)?;
    Ok(code.iter().filter(|text| is_shipped(&text.path)).flat_map(sites).collect())
}

fn is_shipped(path: &str) -> bool {
    is_citing(path) && path.contains("/src/") && !path.contains("/tests/") && !path.ends_with("/tests.rs")
}

fn sites(text: &Text) -> Vec<Site> {
    let shipped = text.content.find("#[cfg(test)]\nmod tests {").unwrap_or(text.content.len());
    let tests = text.content.get(..shipped).unwrap_or_default().lines().count();
    let mut guards = guards::read(text);
    guards.retain(|guard| guard.line <= tests);
    guards.sort_by_key(|guard| guard.line);
    guards
        .iter()
        .map(|guard| Site {
            id: guard.id.to_owned(),
            kind: guard.kind,
            place: format!("{}:{}", text.path, guard.line),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_where_the_guard_begins_and_none_is_in_a_test() {
        let content = "fn shut() {\n    require!(\n        \"NEG-014\", a);\n    require_some!(\"NEG-015\", b);\n}\n\
                       #[cfg(test)]\nmod tests {\n    require!(\"NEG-016\", c);\n}";
        let text = Text { path: "protocol/src/door.rs".into(), content: content.into() };
        let found: Vec<_> = sites(&text).iter().map(|site| (site.to_string(), site.kind)).collect();
        assert_eq!(
            found,
            [
                ("NEG-014 protocol/src/door.rs:2".into(), Kind::Condition),
                ("NEG-015 protocol/src/door.rs:4".into(), Kind::Value)
            ]
        );
        assert!(is_shipped("protocol/src/door.rs") && is_shipped("broker/store/src/door.rs"));
        for path in ["protocol/tests/domain/door.rs", "broker/src/door/tests.rs", "broker/src/tests/door.rs"]
        {
            assert!(!is_shipped(path), "{path}");
        }
    }
}
