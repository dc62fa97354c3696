//! Pages of a listing.

use std::{fmt::Display, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_protocol::{
    digest::{Digest, tagged_hash},
    payload,
    payload::Payload,
    refusal::{Reason, Refusal},
    require_some,
};
use prost::Message;

use crate::limits::{PAGE_BYTES, PAGE_DEFAULT, PAGE_MAX, PAGE_SCAN_MAX};

/// Which page of a listing is asked for: at most so many, after that key.
///
/// What a page token says is opaque to callers and taken from nobody on trust: it must be one of
/// this very listing, by this very caller, and it can only move the caller within what it may see.
#[derive(Debug)]
pub(crate) struct Page<K> {
    listing: Digest,
    after: Option<K>,
    size: usize,
}

payload! {
    struct PageToken {
        1 => listing: Digest,
        2 => after: Vec<u8>,
    }
}

impl<K: Display + FromStr + Clone> Page<K> {
    /// The page that a request asks for. `listing` names everything that decides what is in the
    /// listing: the method, the caller, the filters.
    pub(crate) fn of(listing: &[&[u8]], page_size: u32, page_token: &str) -> Result<Self, Refusal> {
        let listing = Digest::from_bytes(tagged_hash("countersign page v1", listing));
        let size = match usize::try_from(page_size) {
            Ok(0) => PAGE_DEFAULT,
            Ok(size) => size.min(PAGE_MAX),
            Err(_) => PAGE_MAX,
        };
        let after = match page_token {
            "" => None,
            token => Some(require_some!(
                "API-063",
                key_in(token, listing),
                Reason::PayloadMalformed,
                "The page token is not of this listing."
            )),
        };
        Ok(Self { listing, after, size })
    }

    /// The key that the page comes after.
    pub(crate) fn after(&self) -> Option<K> {
        self.after.clone()
    }

    /// Fills the page with those of the items, which begin after [`after`](Self::after), that
    /// `show` gives something for, and says where the next page begins. A page ends early rather
    /// than grow too large or look at too much, so it may hold few or none and yet have a next one.
    pub(crate) fn fill<V, T: Message>(
        &self,
        items: impl Iterator<Item = (K, V)>,
        mut show: impl FnMut(&K, V) -> Option<T>,
    ) -> (Vec<T>, String) {
        let mut items = items.peekable();
        let (mut shown, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
        while let Some((key, value)) = items.next() {
            looked_at += 1;
            if let Some(item) = show(&key, value) {
                bytes += item.encoded_len();
                shown.push(item);
            }
            let full = shown.len() >= self.size || bytes >= PAGE_BYTES || looked_at >= PAGE_SCAN_MAX;
            if full && items.peek().is_some() {
                return (shown, self.token_after(&key));
            }
        }
        (shown, String::new())
    }

    fn token_after(&self, key: &K) -> String {
        let token = PageToken { listing: self.listing, after: key.to_string().into_bytes() };
        URL_SAFE_NO_PAD.encode(token.to_bytes())
    }
}

/// The key in a token of that listing.
fn key_in<K: FromStr>(token: &str, listing: Digest) -> Option<K> {
    let token = PageToken::from_bytes(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let after = (token.listing == listing).then_some(token.after)?;
    std::str::from_utf8(&after).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(listing: &str, size: u32, token: &str) -> Result<Page<u32>, Reason> {
        Page::of(&[listing.as_bytes()], size, token).map_err(|refusal| refusal.reason())
    }

    /// The even numbers below 100, a number each as a message.
    fn even(page: &Page<u32>) -> (Vec<String>, String) {
        let first = page.after().map_or(0, |last| last + 1);
        page.fill((first..100).map(|n| (n, n)), |_, n| n.is_multiple_of(2).then(|| n.to_string()))
    }

    #[test]
    fn pages_follow_one_another_without_gap_or_repetition() {
        let (mut token, mut all) = (String::new(), Vec::new());
        loop {
            let (shown, next) = even(&page("even", 7, &token).unwrap());
            assert!(shown.len() <= 7);
            all.extend(shown);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(all, (0..50).map(|n| (2 * n).to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn a_page_has_a_size_whatever_is_asked_for() {
        let all = |page: Page<u32>| page.fill((0..2_000).map(|n| (n, n)), |_, n| Some(n.to_string())).0;
        let most = PAGE_MAX as u32;
        for (asked, shown) in [
            (0, PAGE_DEFAULT),
            (1, 1),
            (most - 1, PAGE_MAX - 1),
            (most, PAGE_MAX),
            (most + 1, PAGE_MAX),
            (u32::MAX, PAGE_MAX),
        ] {
            assert_eq!(all(page("all", asked, "").unwrap()).len(), shown, "{asked}");
        }
    }

    #[test]
    fn a_page_ends_before_it_grows_too_large_or_looks_at_too_much() {
        // A text of that length is four bytes longer as a message.
        let messages = |first: usize| {
            let texts = [first, PAGE_BYTES / 2, 1].map(|bytes| "x".repeat(bytes.saturating_sub(4)));
            page("long", 100, "").unwrap().fill((0..3).zip(texts), |_, text| Some(text)).0.len()
        };
        assert_eq!(messages(PAGE_BYTES / 2), 2, "it is full");
        assert_eq!(messages(PAGE_BYTES / 2 - 1), 3, "the twin: one byte is left");
        let looked_at = |items: usize| {
            let looked_at = std::cell::Cell::new(0);
            let none = |_: &u32, ()| {
                looked_at.set(looked_at.get() + 1);
                None::<String>
            };
            let items = (0..items as u32).map(|number| (number, ()));
            let (shown, next) = page("none", 100, "").unwrap().fill(items, none);
            assert!(shown.is_empty());
            (looked_at.get(), next.is_empty())
        };
        assert_eq!(looked_at(PAGE_SCAN_MAX), (PAGE_SCAN_MAX, true));
        assert_eq!(looked_at(PAGE_SCAN_MAX + 1), (PAGE_SCAN_MAX, false));
        assert_eq!(looked_at(1_000_000), (PAGE_SCAN_MAX, false));
    }

    #[test]
    fn a_token_is_of_one_listing_and_unaltered() {
        let (_, token) = even(&page("even", 7, "").unwrap());
        assert!(page("even", 9, &token).is_ok(), "the twin");
        assert_eq!(page("odd", 7, &token).err(), Some(Reason::PayloadMalformed));
        let altered = format!("{token}A");
        for token in ["x", "AAAA", &token[1..], altered.as_str()] {
            assert_eq!(page("even", 7, token).err(), Some(Reason::PayloadMalformed), "{token}");
        }
    }
}
