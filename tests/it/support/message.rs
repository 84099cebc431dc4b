//! HTTP/1 messages as raw bytes, read by a second pair of eyes: nothing here knows hyper.

/// Where the head ends, its empty line included.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// The first line, and every field in its order with its name in lower case.
pub(crate) fn parse_head(head: &[u8]) -> (String, Vec<(String, String)>) {
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let fields = lines
        .map(|line| {
            let (name, value) = line
                .split_once(':')
                .unwrap_or_else(|| panic!("a field without a colon: {line:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    (first, fields)
}

/// All values of one field.
pub(crate) fn values<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields
        .iter()
        .filter(|(own, _)| own == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

/// A chunked body from its first size on, strictly (RFC 9112 section 7.1, without extensions).
///
/// `Ok(None)` while it is not whole; else its content and how many bytes it took.
pub(crate) fn dechunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let mut content = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let digits = std::str::from_utf8(&bytes[at..at + line]).map_err(|e| e.to_string())?;
        let size = usize::from_str_radix(digits, 16).map_err(|_| format!("size {digits:?}"))?;
        at += line + 2;
        if size == 0 {
            return trailers(bytes, at).map(|end| end.map(|end| (content, end)));
        }
        if bytes.len() < at + size + 2 {
            return Ok(None);
        }
        content.extend_from_slice(&bytes[at..at + size]);
        if &bytes[at + size..at + size + 2] != b"\r\n" {
            return Err("a chunk without its end of line".to_owned());
        }
        at += size + 2;
    }
}

fn trailers(bytes: &[u8], mut at: usize) -> Result<Option<usize>, String> {
    loop {
        let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        if line == 0 {
            return Ok(Some(at + 2));
        }
        if !bytes[at..at + line].contains(&b':') {
            return Err("a trailer without a colon".to_owned());
        }
        at += line + 2;
    }
}
