//! Checks the raw bytes of request heads before hyper parses them, and rejects what hyper would silently resolve:
//! `Content-Length` beside `Transfer-Encoding`, a repeated `Content-Length`, and a line feed without its carriage
//! return. Two servers in a row may read such a head differently, which allows request smuggling (RFC 9112
//! sections 2.2 and 6.3). It also rejects framing that hyper would reject only after it has discarded the head, so that
//! the response can name what is wrong. After the last chunk of a body it rejects such a line feed, too.
//!
//! To reject a head, the scanner overwrites the offending line feed in the buffer that hyper is about to parse; hyper
//! then gives up (`head_fault` says what the client reads). The scanner follows the stream only as far as it must:
//! lines of heads, and the framing of bodies. After a head that may switch protocols it stops, because either a 101
//! follows or the connection closes after the response.

use http::Uri;
use memchr::memchr;

use super::chunk_reader::ChunkReader;
use crate::guard::is_upgrade_to_http;

/// How much of a line is kept when it arrives in several reads: enough to recognize a field and to read a length.
///
/// A longer line is treated in the same way whether it arrives in one read or in several.
const KEPT_BYTES: usize = 64;

/// The first line of the preface of HTTP/2 (RFC 9113 section 3.4), whose rest is no head.
const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0";

/// Longer request lines are left to hyper, which may discard the head before it rejects the target.
const CHECKED_REQUEST_LINE: usize = 16 << 10;

/// The scanner of one connection. Public only for `benches/guard.rs`.
#[derive(Debug)]
pub struct HeadScanner {
    position: StreamPosition,
    head: HeadFraming,
    partial: PartialLine,
    fault: Option<FramingFault>,
    /// Where in the bytes that were scanned last a fault in a body stands.
    body_fault_at: Option<usize>,
}

impl Default for HeadScanner {
    fn default() -> Self {
        Self {
            position: StreamPosition::Head,
            head: HeadFraming {
                seen: SeenLines::NoneOfConnection,
                ..HeadFraming::default()
            },
            partial: PartialLine::default(),
            fault: None,
            body_fault_at: None,
        }
    }
}

/// Why the scanner has rejected a head, or the end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FramingFault {
    /// RFC 9112 section 2.2 lets servers accept it, and some do not.
    #[error("a line of the head ends with a line feed but no carriage return")]
    BareLineFeed,
    /// hyper would read on to the next CR LF CR LF, which may be the end of another request's head.
    #[error("a line after the last chunk ends with a line feed but no carriage return")]
    BareLineFeedInTrailers,
    #[error("Content-Length was sent more than once")]
    RepeatedLength,
    #[error("Content-Length and Transfer-Encoding were both sent")]
    LengthAndCoding,
    #[error("Content-Length is not a plain decimal number")]
    InvalidLength,
    #[error("Transfer-Encoding does not end with \"chunked\"")]
    InvalidCoding,
    #[error("HTTP/1.0 has no Transfer-Encoding")]
    CodingInHttp10,
    #[error("the request target is not valid")]
    InvalidTarget,
}

/// What the next byte of the connection belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamPosition {
    /// A head, or the gap before the next one.
    Head,
    /// A body with this many bytes left.
    Body(u64),
    /// A chunked body.
    Chunked(ChunkReader),
    /// Whatever follows the last head; possibly another protocol.
    AfterHttp,
    /// Frames of HTTP/2, after the first line of its preface.
    Http2,
    /// The scanner has rejected a head or a body.
    Rejected,
}

/// What the lines of the current head say about its body.
#[derive(Debug, Default, PartialEq, Eq)]
struct HeadFraming {
    seen: SeenLines,
    is_http_10: bool,
    length: ContentLength,
    coding: TransferCoding,
    may_upgrade: bool,
}

/// Which lines have ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum SeenLines {
    /// None on the whole connection.
    NoneOfConnection,
    /// None of this head.
    #[default]
    None,
    /// The request line, and perhaps others.
    Some,
}

/// The last `Transfer-Encoding` line.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum TransferCoding {
    #[default]
    Absent,
    /// It ends with `chunked`, or is longer than `KEPT_BYTES`, so that hyper decides.
    Chunked,
    /// hyper rejects it.
    Other,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ContentLength {
    #[default]
    Absent,
    Of(u64),
    /// Its line is longer than `KEPT_BYTES`, so that hyper decides.
    Unreadable,
}

/// A line whose line feed has not arrived yet.
#[derive(Debug)]
struct PartialLine {
    kept: [u8; KEPT_BYTES],
    /// Length so far, including what was not kept.
    length: usize,
    last: u8,
    /// Empty unless it is a request line, of which this is all.
    request_line: Vec<u8>,
}

impl Default for PartialLine {
    fn default() -> Self {
        Self {
            kept: [0; KEPT_BYTES],
            length: 0,
            last: 0,
            request_line: Vec::new(),
        }
    }
}

impl PartialLine {
    fn push(&mut self, piece: &[u8], is_request_line: bool) {
        if is_request_line && self.length + piece.len() <= CHECKED_REQUEST_LINE {
            self.request_line.extend_from_slice(piece);
        }
        let start = self.length.min(KEPT_BYTES);
        let kept = piece.len().min(KEPT_BYTES - start);
        self.kept[start..start + kept].copy_from_slice(&piece[..kept]);
        self.length += piece.len();
        self.last = piece.last().copied().unwrap_or(self.last);
    }

    const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl HeadScanner {
    /// Whether no further head can follow: the connection either switches protocols or closes after the response.
    #[must_use]
    pub fn has_left_http(&self) -> bool {
        self.position == StreamPosition::AfterHttp
    }

    /// Whether the connection has begun with the first line of HTTP/2's preface, or no line has ended yet.
    pub(super) fn may_be_http2(&self) -> bool {
        self.position == StreamPosition::Http2 || self.head.seen == SeenLines::NoneOfConnection
    }

    /// Why a head or a body was rejected.
    pub(super) const fn fault(&self) -> Option<FramingFault> {
        self.fault
    }

    /// Where in the bytes that were scanned last a fault in a body stands. hyper must read up to there, and then fail.
    pub(super) const fn body_fault_at(&self) -> Option<usize> {
        self.body_fault_at
    }

    /// Whether a head has begun and not ended yet.
    #[must_use]
    pub fn is_in_head(&self) -> bool {
        self.position == StreamPosition::Head && (self.head.has_lines() || !self.partial.is_empty())
    }

    /// Scans the bytes that have just arrived. Returns false once a head or a body was rejected.
    pub fn scan(&mut self, mut bytes: &mut [u8]) -> bool {
        let length = bytes.len();
        while !bytes.is_empty() {
            match self.position {
                StreamPosition::AfterHttp | StreamPosition::Http2 => return true,
                StreamPosition::Rejected => return false,
                StreamPosition::Body(left) => {
                    let here =
                        usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    let left = left - here as u64;
                    self.position = if left == 0 {
                        StreamPosition::Head
                    } else {
                        StreamPosition::Body(left)
                    };
                    bytes = &mut bytes[here..];
                }
                StreamPosition::Chunked(reader) => {
                    let (here, reader) = reader.read(bytes);
                    self.position = match reader {
                        Some(ChunkReader::Ended) => StreamPosition::Head,
                        Some(ChunkReader::BareLineFeed) => {
                            let at = length - bytes.len() + here;
                            bytes[here] = 0;
                            self.reject(FramingFault::BareLineFeedInTrailers);
                            self.body_fault_at = Some(at);
                            return false;
                        }
                        Some(reader) => StreamPosition::Chunked(reader),
                        None => StreamPosition::AfterHttp, // hyper closes the connection
                    };
                    bytes = &mut bytes[here..];
                }
                StreamPosition::Head => {
                    let Some(end) = memchr(b'\n', bytes) else {
                        self.partial.push(bytes, !self.head.has_lines());
                        return true;
                    };
                    let (line, rest) = bytes.split_at_mut(end + 1);
                    match self.end_line(&line[..end]) {
                        Ok(position) => self.position = position,
                        Err(fault) => {
                            line[end] = 0;
                            self.reject(fault);
                            return false;
                        }
                    }
                    bytes = rest;
                }
            }
        }
        true
    }

    #[cold]
    fn reject(&mut self, fault: FramingFault) {
        self.position = StreamPosition::Rejected;
        self.fault = Some(fault);
    }

    /// Takes the last piece of a line, without its line feed. Returns what follows the line.
    fn end_line(&mut self, piece: &[u8]) -> Result<StreamPosition, FramingFault> {
        let is_request_line = !self.head.has_lines();
        if self.partial.is_empty() {
            let [line @ .., b'\r'] = piece else {
                return Err(FramingFault::BareLineFeed);
            };
            if is_request_line && line.len() < CHECKED_REQUEST_LINE {
                self.head.check_request_line(line)?;
            }
            return self.head.add_line(line, line.len());
        }
        self.partial.push(piece, is_request_line);
        let partial = std::mem::take(&mut self.partial);
        if partial.last != b'\r' {
            return Err(FramingFault::BareLineFeed);
        }
        if is_request_line && partial.length <= CHECKED_REQUEST_LINE {
            let line = &partial.request_line[..partial.length - 1];
            self.head.check_request_line(line)?;
        }
        let length = partial.length - 1; // without the carriage return
        let line = &partial.kept[..length.min(KEPT_BYTES)];
        self.head.add_line(line, length)
    }
}

#[cold]
fn check_target(line: &[u8], start: usize) -> Result<(), FramingFault> {
    let end = line.iter().rposition(|byte| *byte == b' ').unwrap_or(0);
    match line.get(start..end) {
        // hyper rejects what lies below `!` before it discards the head.
        Some(target) if target.iter().all(|byte| *byte > b' ' && *byte != 0x7f) => {
            Uri::try_from(target).map_or(Err(FramingFault::InvalidTarget), |_| Ok(()))
        }
        Some(_) | None => Ok(()),
    }
}

impl HeadFraming {
    fn has_lines(&self) -> bool {
        self.seen == SeenLines::Some
    }

    /// Rejects a target that hyper would reject only after it has discarded the head. This runs for every request, so
    /// it parses only a target that is unusual.
    fn check_request_line(&mut self, line: &[u8]) -> Result<(), FramingFault> {
        let unusual = line.iter().fold(0, |unusual, byte| {
            unusual
                | u8::from(byte | 2 == b'>') // and `<`
                | u8::from(*byte == b'"')
                | u8::from(*byte == b'`')
                | (byte & 0x80)
        });
        self.is_http_10 = line.ends_with(b" HTTP/1.0");
        let after_method = line.iter().position(|byte| *byte == b' ').unwrap_or(0) + 1;
        if unusual == 0 && matches!(line.get(after_method), None | Some(b'/')) {
            return Ok(());
        }
        check_target(line, after_method)
    }

    /// Takes a line of which `line` is at least the first `KEPT_BYTES`, and which has `length` bytes in all. Returns
    /// what follows it.
    fn add_line(&mut self, line: &[u8], length: usize) -> Result<StreamPosition, FramingFault> {
        if line.is_empty() {
            return self.end();
        }
        match std::mem::replace(&mut self.seen, SeenLines::Some) {
            SeenLines::NoneOfConnection if line == PREFACE_LINE => {
                return Ok(StreamPosition::Http2);
            }
            SeenLines::NoneOfConnection | SeenLines::None => {
                return Ok(StreamPosition::Head); // the request line
            }
            SeenLines::Some => {}
        }
        match line[0] | 0x20 {
            b'c' => {
                if let Some(value) = value_of(line, b"content-length") {
                    let read = ContentLength::read(value, length)?;
                    if std::mem::replace(&mut self.length, read) != ContentLength::Absent {
                        return Err(FramingFault::RepeatedLength);
                    }
                }
            }
            b't' => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    self.coding = TransferCoding::read(value, length);
                }
            }
            b'u' => {
                self.may_upgrade |= value_of(line, b"upgrade")
                    .is_some_and(|protocol| length > KEPT_BYTES || is_forwarded(protocol));
            }
            _ => {}
        }
        if self.length != ContentLength::Absent && self.coding != TransferCoding::Absent {
            return Err(FramingFault::LengthAndCoding);
        }
        Ok(StreamPosition::Head)
    }

    /// Takes the empty line. It is ignored before a request line (RFC 9112 section 2.2).
    fn end(&mut self) -> Result<StreamPosition, FramingFault> {
        if !self.has_lines() {
            return Ok(StreamPosition::Head);
        }
        let head = std::mem::take(self);
        Ok(match head.length {
            _ if head.coding != TransferCoding::Absent => {
                head.check_coding()?;
                StreamPosition::Chunked(ChunkReader::Start)
            }
            ContentLength::Absent | ContentLength::Of(0) if head.may_upgrade => {
                StreamPosition::AfterHttp
            }
            ContentLength::Absent | ContentLength::Of(0) => StreamPosition::Head,
            ContentLength::Of(length) => StreamPosition::Body(length), // an upgrade with a body is not forwarded
            ContentLength::Unreadable => StreamPosition::AfterHttp,
        })
    }

    /// Rejects what hyper would reject. The guard rejects `gzip, chunked`, which hyper accepts.
    const fn check_coding(&self) -> Result<(), FramingFault> {
        match self.coding {
            _ if self.is_http_10 => Err(FramingFault::CodingInHttp10),
            TransferCoding::Other => Err(FramingFault::InvalidCoding),
            TransferCoding::Absent | TransferCoding::Chunked => Ok(()),
        }
    }
}

/// Whether the proxy forwards an upgrade to this protocol, so that a 101 may follow. It never does for a list, nor for
/// HTTP itself, such as `h2c`, which Java's client requests every time.
fn is_forwarded(protocol: &[u8]) -> bool {
    !protocol.contains(&b',') && !is_upgrade_to_http(protocol)
}

/// The rest of `line` after `name` and a colon.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (field, rest) = line.split_at_checked(name.len())?;
    (field.eq_ignore_ascii_case(name))
        .then_some(rest)?
        .strip_prefix(b":")
}

impl ContentLength {
    fn read(value: &[u8], line_length: usize) -> Result<Self, FramingFault> {
        if line_length > KEPT_BYTES {
            return Ok(Self::Unreadable); // the end of the number may be missing from `value`
        }
        let digits = value.trim_ascii();
        let text = std::str::from_utf8(digits).ok();
        text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .map(Self::Of)
            .ok_or(FramingFault::InvalidLength)
    }
}

impl TransferCoding {
    fn read(value: &[u8], line_length: usize) -> Self {
        let last = value.rsplit(|byte| *byte == b',').next().unwrap_or(value);
        if line_length > KEPT_BYTES || last.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            Self::Chunked
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests;
