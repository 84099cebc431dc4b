use std::collections::VecDeque;

use http::HeaderValue;
use http_body::Body;

use super::*;

/// A client's body: frames one by one; at an empty place it is still sending.
struct Client {
    frames: VecDeque<Option<Frame<Bytes>>>,
    left: Option<u64>,
    alive: Arc<()>,
}

impl Client {
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

impl Body for Client {
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

fn poll(body: &mut Outbound<Client>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
    Pin::new(body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()))
}

/// Takes what is there; a trailer section reads as `|`, the end as `.`.
fn take(body: &mut Outbound<Client>) -> String {
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
fn a_request_without_a_body_shares_nothing_and_can_always_be_sent_again() {
    let upload = Upload::of(Client::sends(&[]).with_length(), 8, None);
    assert!(upload.0.is_none());
    assert!(matches!(upload.first(), Outbound::Empty));
    assert!(matches!(upload.freeze().again(), Some(Outbound::Empty)));
}

#[test]
fn a_body_taken_in_part_comes_again_in_full_with_its_rest_and_its_length() {
    let client = Client::sends(&["abc", "de", "f"]).with_length();
    let upload = Upload::of(client.pauses_before(2), 8, None);
    let mut first = upload.first();
    assert_eq!(first.size_hint().exact(), Some(6));
    assert_eq!(take(&mut first), "abcde");

    let mut again = upload.freeze().again().unwrap();

    assert_eq!(again.size_hint().exact(), Some(6));
    assert!(!again.is_end_stream());
    assert_eq!(take(&mut again), "abcdef.");
    assert_eq!(again.size_hint().exact(), Some(0));
    assert!(again.is_end_stream());
}

#[test]
fn a_chunked_body_taken_whole_comes_again_chunked_with_its_trailers() {
    let upload = Upload::of(Client::sends(&["abc", "de"]).with_trailers(), 8, None);
    assert_eq!(take(&mut upload.first()), "abcde|.");
    let mut again = upload.freeze().again().unwrap();
    assert_eq!(again.size_hint().exact(), None);
    assert_eq!(take(&mut again), "abcde|.");
    assert!(again.is_end_stream());
}

/// hyper asks for nothing behind trailers, so the end itself is never seen.
#[test]
fn trailers_that_were_the_last_frame_taken_come_again() {
    let upload = Upload::of(Client::sends(&["abc"]).with_trailers(), 8, None);
    let mut first = upload.first();
    assert!(poll(&mut first).is_ready());
    assert!(poll(&mut first).is_ready());
    assert_eq!(take(&mut upload.freeze().again().unwrap()), "abc|.");
}

#[test]
fn trailers_that_come_after_a_replayed_prefix_pass() {
    let client = Client::sends(&["abc", "de"]).pauses_before(1);
    let upload = Upload::of(client.with_trailers(), 8, None);
    assert_eq!(take(&mut upload.first()), "abc");
    assert_eq!(take(&mut upload.freeze().again().unwrap()), "abcde|.");
}

#[test]
fn a_body_at_the_limit_comes_again_and_one_byte_more_is_lost() {
    for (limit, comes_again) in [(5, true), (4, false), (0, false)] {
        for client in [
            Client::sends(&["abc", "de"]),
            Client::sends(&["abc", "de"]).with_length(),
            Client::sends(&["abcde"]).with_length(),
        ] {
            let upload = Upload::of(client, limit, None);
            assert_eq!(take(&mut upload.first()), "abcde.");
            assert_eq!(upload.freeze().again().is_some(), comes_again, "{limit}");
        }
    }
}

#[test]
fn a_large_body_of_which_little_was_taken_comes_again() {
    let client = Client::sends(&["abc", "defghijklmno"]).with_length();
    let upload = Upload::of(client.pauses_before(1), 4, None);
    assert_eq!(take(&mut upload.first()), "abc");
    let mut again = upload.freeze().again().unwrap();
    assert_eq!(take(&mut again), "abcdefghijklmno.");
}

#[test]
fn a_frozen_attempt_gets_no_more_frames_and_no_end() {
    let upload = Upload::of(Client::sends(&["abc", "de"]).pauses_before(1), 8, None);
    let mut first = upload.first();
    assert_eq!(take(&mut first), "abc");
    let frozen = upload.freeze();
    assert!(poll(&mut first).is_pending());
    assert!(!first.is_end_stream());
    assert_eq!(take(&mut frozen.again().unwrap()), "abcde.");
    assert!(poll(&mut first).is_pending());
}

#[test]
fn a_body_that_is_not_sent_again_is_let_go_although_its_connection_still_stands() {
    let client = Client::sends(&["abc", "de"]);
    let alive = Arc::downgrade(&client.alive);
    let upload = Upload::of(client, 8, None);
    let first = upload.first();
    drop(upload.freeze());
    assert!(alive.upgrade().is_none(), "the server must see it dropped");
    drop(first);
}

#[test]
fn the_prefix_is_kept_only_until_another_answer_begins_and_only_while_it_is_whole() {
    let kept = |upload: &Upload<Client>| {
        let shared = upload.0.as_ref().unwrap();
        shared.lock().as_ref().unwrap().kept.clone()
    };
    let upload = Upload::of(Client::sends(&["abc", "de"]).pauses_before(1), 4, None);
    let mut first = upload.first();
    assert_eq!(
        kept(&upload),
        Some(Vec::new()),
        "nothing before the first frame"
    );
    take(&mut first);
    assert_eq!(kept(&upload), Some(b"abc".to_vec()));
    take(&mut first);
    assert_eq!(kept(&upload), None, "outgrown");

    let upload = Upload::of(Client::sends(&["abc", "de"]).pauses_before(1), 8, None);
    let mut first = upload.first();
    take(&mut first);
    let Outbound::First(First(shared)) = &first else {
        unreachable!()
    };
    let shared = Shared(Arc::clone(&shared.0));
    upload.let_go();
    assert_eq!(shared.lock().as_ref().unwrap().kept, None, "let go");
    assert_eq!(take(&mut first), "de.", "and goes on");
}

#[test]
fn room_is_made_for_what_the_body_needs_and_never_beyond_the_limit() {
    for (have, more, length, most, room) in [
        (0, 3, Some(10), 64, 10),
        (0, 3, Some(1000), 64, 64),
        (0, 3, Some(u64::MAX), 64, 64),
        (0, 3, None, 64, 3),
        (3, 1, None, 64, 6),
        (40, 1, None, 64, 64),
        (0, 64, None, 64, 64),
    ] {
        let mut kept = vec![0; have];
        grow(&mut kept, more, length, most);
        assert_eq!(kept.capacity(), room, "{have} {more} {length:?}");
    }
}
