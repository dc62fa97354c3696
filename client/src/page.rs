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
        whole(what, page).await
    }
}

async fn whole<T, O>(what: &str, page: impl Fn(String) -> O) -> Result<Vec<T>, Error>
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of so many pages with one number each.
    async fn list(pages: usize) -> Result<Vec<usize>, Error> {
        let page = async |token: String| {
            let number = token.parse().unwrap_or(0);
            let next = if number + 1 < pages { (number + 1).to_string() } else { String::new() };
            Ok((vec![number], next))
        };
        whole("count", page).await
    }

    #[tokio::test]
    async fn a_list_that_does_not_end_is_given_up() {
        assert_eq!(list(PAGES_MAX).await.unwrap(), (0..PAGES_MAX).collect::<Vec<_>>());
        for pages in [PAGES_MAX + 1, usize::MAX] {
            let Err(Error::Deceived(deceit)) = list(pages).await else { panic!("{pages} pages were read") };
            assert_eq!(deceit.about, About::Answer);
        }
    }
}
