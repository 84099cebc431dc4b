use std::collections::VecDeque;

use http::HeaderValue;

use super::*;

/// A client's body, frame by frame. At a `None` the client has not sent the next frame yet.
struct ClientBody {
    frames: VecDeque<Option<Frame<Bytes>>>,
    left: Option<u64>,
    alive: Arc<()>,
}

impl ClientBody {
    fn sends(pieces: &[&'static str]) -> Self {
        Self {
            frames: pieces.iter().map(|piece| Some(data(piece))).collect(),
            left: None,
            alive: Arc::new(()),
        }
    }

    fn with_length(mut self) -> Self {
        let bytes = |frame: &Option<Frame<Bytes>>| frame.as_ref().map_or(0, length_of);
        self.left = Some(self.frames.iter().map(bytes).sum());
        self
    }

    fn with_trailers(mut self) -> Self {
        let trailers = [(http::header::ETAG, HeaderValue::from_static("x"))];
        let frame = Frame::trailers(HeaderMap::from_iter(trailers));
        self.frames.push_back(Some(frame));
        self
    }

    fn pauses_before(mut self, frame: usize) -> Self {
        self.frames.insert(frame, None);
        self
    }
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

fn length_of(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match self.frames.pop_front() {
            None => Poll::Ready(None),
            Some(None) => Poll::Pending,
            Some(Some(frame)) => {
                if let Some(left) = &mut self.left {
                    *left -= length_of(&frame);
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn poll(body: &mut UpstreamRequestBody<ClientBody>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
    Pin::new(body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()))
}

/// Reads what has arrived. A trailer section reads as `|`, the end as `.`.
fn take(body: &mut UpstreamRequestBody<ClientBody>) -> String {
    let mut text = String::new();
    loop {
        match poll(body) {
            Poll::Pending => return text,
            Poll::Ready(None) => return text + ".",
            Poll::Ready(Some(frame)) => match frame.unwrap().into_data() {
                Ok(data) => text.push_str(std::str::from_utf8(&data).unwrap()),
                Err(_) => text.push('|'),
            },
        }
    }
}

#[test]
fn a_request_without_a_body_shares_nothing_and_can_always_be_replayed() {
    let body = ReplayableBody::new(ClientBody::sends(&[]).with_length(), 8, None);
    assert!(body.0.is_none());
    assert!(matches!(body.first_attempt(), UpstreamRequestBody::Empty));
    assert!(matches!(
        body.reclaim().replay(),
        Some(UpstreamRequestBody::Empty)
    ));
}

#[test]
fn a_partly_read_body_is_replayed_in_full_with_its_length() {
    let client = ClientBody::sends(&["abc", "de", "f"]).with_length();
    let body = ReplayableBody::new(client.pauses_before(2), 8, None);
    let mut first = body.first_attempt();
    assert_eq!(first.size_hint().exact(), Some(6));
    assert_eq!(take(&mut first), "abcde");

    let mut replay = body.reclaim().replay().unwrap();

    assert_eq!(replay.size_hint().exact(), Some(6));
    assert!(!replay.is_end_stream());
    assert_eq!(take(&mut replay), "abcdef.");
    assert_eq!(replay.size_hint().exact(), Some(0));
    assert!(replay.is_end_stream());
}

#[test]
fn a_fully_read_chunked_body_is_replayed_chunked_with_its_trailers() {
    let body = ReplayableBody::new(ClientBody::sends(&["abc", "de"]).with_trailers(), 8, None);
    assert_eq!(take(&mut body.first_attempt()), "abcde|.");
    let mut replay = body.reclaim().replay().unwrap();
    assert_eq!(replay.size_hint().exact(), None);
    assert_eq!(take(&mut replay), "abcde|.");
    assert!(replay.is_end_stream());
}

/// hyper does not poll again after trailers, so the end itself is never seen.
#[test]
fn trailers_that_were_the_last_frame_read_are_replayed() {
    let body = ReplayableBody::new(ClientBody::sends(&["abc"]).with_trailers(), 8, None);
    let mut first = body.first_attempt();
    assert!(poll(&mut first).is_ready());
    assert!(poll(&mut first).is_ready());
    assert_eq!(take(&mut body.reclaim().replay().unwrap()), "abc|.");
}

#[test]
fn trailers_that_arrive_after_a_replayed_prefix_are_forwarded() {
    let client = ClientBody::sends(&["abc", "de"]).pauses_before(1);
    let body = ReplayableBody::new(client.with_trailers(), 8, None);
    assert_eq!(take(&mut body.first_attempt()), "abc");
    assert_eq!(take(&mut body.reclaim().replay().unwrap()), "abcde|.");
}

#[test]
fn a_body_at_the_limit_is_replayed_and_a_longer_one_is_not() {
    for (limit, is_replayed) in [(5, true), (4, false), (0, false)] {
        for client in [
            ClientBody::sends(&["abc", "de"]),
            ClientBody::sends(&["abc", "de"]).with_length(),
            ClientBody::sends(&["abcde"]).with_length(),
        ] {
            let body = ReplayableBody::new(client, limit, None);
            assert_eq!(take(&mut body.first_attempt()), "abcde.");
            assert_eq!(body.reclaim().replay().is_some(), is_replayed, "{limit}");
        }
    }
}

#[test]
fn a_large_body_of_which_little_was_read_is_replayed() {
    let client = ClientBody::sends(&["abc", "defghijklmno"]).with_length();
    let body = ReplayableBody::new(client.pauses_before(1), 4, None);
    assert_eq!(take(&mut body.first_attempt()), "abc");
    let mut replay = body.reclaim().replay().unwrap();
    assert_eq!(take(&mut replay), "abcdefghijklmno.");
}

#[test]
fn the_first_attempt_gets_no_more_frames_and_no_end_after_the_body_was_reclaimed() {
    let body = ReplayableBody::new(ClientBody::sends(&["abc", "de"]).pauses_before(1), 8, None);
    let mut first = body.first_attempt();
    assert_eq!(take(&mut first), "abc");
    let reclaimed = body.reclaim();
    assert!(poll(&mut first).is_pending());
    assert!(!first.is_end_stream());
    assert_eq!(take(&mut reclaimed.replay().unwrap()), "abcde.");
    assert!(poll(&mut first).is_pending());
}

#[test]
fn a_reclaimed_body_that_is_not_replayed_is_dropped_although_its_connection_is_still_open() {
    let client = ClientBody::sends(&["abc", "de"]);
    let alive = Arc::downgrade(&client.alive);
    let body = ReplayableBody::new(client, 8, None);
    let first = body.first_attempt();
    drop(body.reclaim());
    assert!(alive.upgrade().is_none(), "the server must see it dropped");
    drop(first);
}

#[test]
fn the_prefix_is_kept_only_until_another_response_begins_and_only_while_it_is_complete() {
    let kept = |body: &ReplayableBody<ClientBody>| {
        let shared = body.0.as_ref().unwrap();
        shared.lock().as_ref().unwrap().prefix.clone()
    };
    let body = ReplayableBody::new(ClientBody::sends(&["abc", "de"]).pauses_before(1), 4, None);
    let mut first = body.first_attempt();
    assert_eq!(
        kept(&body),
        Some(Vec::new()),
        "nothing before the first frame"
    );
    take(&mut first);
    assert_eq!(kept(&body), Some(b"abc".to_vec()));
    take(&mut first);
    assert_eq!(kept(&body), None, "longer than the limit");

    let body = ReplayableBody::new(ClientBody::sends(&["abc", "de"]).pauses_before(1), 8, None);
    let mut first = body.first_attempt();
    take(&mut first);
    let UpstreamRequestBody::First(FirstAttemptBody(shared)) = &first else {
        unreachable!()
    };
    let shared = SharedBody(Arc::clone(&shared.0));
    body.discard_copy();
    assert_eq!(shared.lock().as_ref().unwrap().prefix, None, "discarded");
    assert_eq!(take(&mut first), "de.", "and the first attempt continues");
}

#[test]
fn capacity_is_reserved_for_what_the_body_needs_and_never_beyond_the_limit() {
    for (have, additional, length, limit, capacity) in [
        (0, 3, Some(10), 64, 10),
        (0, 3, Some(1000), 64, 64),
        (0, 3, Some(u64::MAX), 64, 64),
        (0, 3, None, 64, 3),
        (3, 1, None, 64, 6),
        (40, 1, None, 64, 64),
        (0, 64, None, 64, 64),
    ] {
        let mut prefix = vec![0; have];
        reserve(&mut prefix, additional, length, limit);
        assert_eq!(
            prefix.capacity(),
            capacity,
            "{have} {additional} {length:?}"
        );
    }
}

#[test]
fn a_body_of_which_nothing_was_processed_begins_again_and_can_still_be_replayed() {
    let client = ClientBody::sends(&["one ", "two ", "three"])
        .with_length()
        .pauses_before(2);
    let mut kept = ReplayableBody::new(client, 64, None);
    let mut first = kept.first_attempt();
    assert_eq!(take(&mut first), "one two ");
    let mut second = kept.restart().unwrap();
    assert_eq!(second.size_hint().exact(), Some(13));
    assert!(matches!(poll(&mut first), Poll::Pending));
    assert_eq!(take(&mut second), "one two three.");
    let mut third = kept.reclaim().replay().unwrap();
    assert_eq!(take(&mut third), "one two three.");
}

#[test]
fn trailers_are_sent_again_with_a_body_that_begins_again() {
    let client = ClientBody::sends(&["one"]).with_trailers();
    let mut kept = ReplayableBody::new(client, 64, None);
    assert_eq!(take(&mut kept.first_attempt()), "one|.");
    let mut second = kept.restart().unwrap();
    assert!(!second.is_end_stream());
    assert_eq!(take(&mut second), "one|.");
}

#[test]
fn a_body_that_is_longer_than_the_copy_does_not_begin_again() {
    let client = ClientBody::sends(&["one ", "two"]);
    let mut kept = ReplayableBody::new(client, 5, None);
    assert_eq!(take(&mut kept.first_attempt()), "one two.");
    assert!(kept.restart().is_none());
    assert!(kept.reclaim().replay().is_none());
}
