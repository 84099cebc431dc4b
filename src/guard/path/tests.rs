use super::*;

#[test]
fn a_path_with_one_reading_is_read_decoded() {
    for (path, expected) in [
        ("/", "/"),
        ("/api/v1/certificates", "/api/v1/certificates"),
        ("/api/v1/certificates/", "/api/v1/certificates/"),
        ("/%61dm%69n", "/admin"),
        ("/J%C3%BCrgen%20M", "/Jürgen M"),
        ("/a.b/.well-known/x..y", "/a.b/.well-known/x..y"),
        ("/v1/x:cancel,a=b&c@d!$'()*+", "/v1/x:cancel,a=b&c@d!$'()*+"),
        ("/%E6%9D%B1%E4%BA%AC", "/東京"),
    ] {
        assert_eq!(read(path).as_deref(), Ok(expected), "{path}");
    }
    assert!(matches!(read("/plain"), Ok(Cow::Borrowed(_))));
}

#[test]
fn a_path_that_two_servers_could_read_differently_is_in_doubt() {
    for (path, doubt) in [
        ("/a%", Doubt::BrokenEscape),
        ("/a%2", Doubt::BrokenEscape),
        ("/a%2x", Doubt::BrokenEscape),
        ("/a%u0061", Doubt::BrokenEscape),
        ("/a%+1", Doubt::BrokenEscape),
        ("/a%2Fb", Doubt::OddByte(b'/')),
        ("/a%2fb", Doubt::OddByte(b'/')),
        ("/a%5Cb", Doubt::OddByte(b'\\')),
        ("/a\\b", Doubt::OddByte(b'\\')),
        ("/a%00", Doubt::OddByte(0)),
        ("/a%0d%0a", Doubt::OddByte(b'\r')),
        ("/a%7f", Doubt::OddByte(0x7f)),
        ("/a%252e", Doubt::OddByte(b'%')),
        ("/a;b", Doubt::OddByte(b';')),
        ("/a%3bb", Doubt::OddByte(b';')),
        ("/a%3Fb", Doubt::OddByte(b'?')),
        ("/a%23b", Doubt::OddByte(b'#')),
        ("/\u{fc}", Doubt::RawText),
        ("/%fc", Doubt::NotText),
        ("/%c0%af", Doubt::NotText),
        ("/%c1%a1dmin", Doubt::NotText),
        ("/%e0%80%af", Doubt::NotText),
        ("/%ed%a0%80", Doubt::NotText),
        ("/%EF%BD%81dmin", Doubt::Lookalike),
        ("/%EF%BC%8Fadmin", Doubt::Lookalike),
        ("/admin%E2%80%8B", Doubt::Lookalike),
        ("/%E2%84%AAey", Doubt::Lookalike),
        ("/a%CC%88", Doubt::Lookalike),
        ("//", Doubt::EmptySegment),
        ("//a", Doubt::EmptySegment),
        ("/a//b", Doubt::EmptySegment),
        ("/a//", Doubt::EmptySegment),
        ("/.", Doubt::SegmentEnd),
        ("/..", Doubt::SegmentEnd),
        ("/./a", Doubt::SegmentEnd),
        ("/a/../b", Doubt::SegmentEnd),
        ("/a/%2e%2e/b", Doubt::SegmentEnd),
        ("/a/.%2E/b", Doubt::SegmentEnd),
        ("/a./b", Doubt::SegmentEnd),
        ("/a...", Doubt::SegmentEnd),
        ("/a%20/b", Doubt::SegmentEnd),
        ("/%20a", Doubt::SegmentEnd),
        ("/a%20", Doubt::SegmentEnd),
    ] {
        assert_eq!(read(path), Err(doubt), "{path}");
    }
}
