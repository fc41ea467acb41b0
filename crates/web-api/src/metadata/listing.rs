//! Long lists of descriptions, as text.

use std::future::poll_fn;
use std::task::Poll;

use serde_json::Value as Json;

/// A list that is written while it is built. All tables with all their columns are some 18 MB of text, and as values ten
/// times as much: so each is written as soon as it is there, and other requests get their turn before the next one.
pub(super) struct Listing {
    text: Vec<u8>,
    items: usize,
}

impl Listing {
    /// An empty list.
    pub(super) fn new() -> Self {
        Self { text: vec![b'['], items: 0 }
    }

    /// Adds an item at the end.
    pub(super) async fn push(&mut self, item: Json) {
        if self.items > 0 {
            self.text.push(b',');
        }
        self.items += 1;
        self.text.extend_from_slice(item.to_string().as_bytes());
        drop(item);
        give_way().await;
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.items
    }

    /// The whole list.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.text.push(b']');
        self.text
    }
}

/// Lets other tasks of this worker run.
pub(super) async fn give_way() {
    let mut has_waited = false;
    poll_fn(|context| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_list_is_written_as_its_items_come() {
        for items in [json!([]), json!([1]), json!([{"a": "b"}, null, [2]])] {
            let mut listing = Listing::new();
            for item in items.as_array().unwrap() {
                listing.push(item.clone()).await;
            }
            assert_eq!(listing.len(), items.as_array().unwrap().len());
            assert_eq!(String::from_utf8(listing.finish()).unwrap(), items.to_string());
        }
    }

    #[test]
    fn others_get_their_turn_between_items() {
        let mut listing = Listing::new();
        let mut pushing = std::pin::pin!(listing.push(json!(1)));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(pushing.as_mut().poll(&mut context).is_pending());
        assert!(pushing.as_mut().poll(&mut context).is_ready());
    }
}
