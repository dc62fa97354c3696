//! Lists that come in pages.

use std::future::Future;

use crate::{
    agent::Agent,
    error::{About, Error, deceived},
    limits::PAGES_MAX,
};

impl Agent {
    /// Reads a whole list. `page` takes a page token and gives a page and the token of the next one.
    pub(crate) async fn pages<T, O>(&self, what: &str, page: impl Fn(String) -> O) -> Result<Vec<T>, Error>
    where
        O: Future<Output = Result<(Vec<T>, String), Error>>,
    {
        let (mut list, mut token) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let (items, next) = page(token).await?;
            list.extend(items);
            if next.is_empty() {
                return Ok(list);
            }
            token = next;
        }
        Err(deceived(About::Answer, format!("it could not {what} in {PAGES_MAX} pages")))
    }
}
