use super::*;

#[test]
fn an_unambiguous_path_is_decoded() {
    for (path, expected) in [
        ("/", "/"),
        ("/api/v1/certificates", "/api/v1/certificates"),
        ("/api/v1/certificates/", "/api/v1/certificates/"),
        ("/%61dm%69n", "/admin"),
        ("/J%C3%BCrgen%20M", "/Jürgen M"),
        ("/a.b/.well-known/x..y", "/a.b/.well-known/x..y"),
        ("/v1/x:cancel,a=b&c@d!$'()*+", "/v1/x:cancel,a=b&c@d!$'()*+"),
        ("/~me/$all/%CE%A3%CF%82", "/~me/$all/Σς"),
        ("/%E6%9D%B1%E4%BA%AC", "/東京"),
    ] {
        assert_eq!(decode_path(path).as_deref(), Ok(expected), "{path}");
    }
    assert!(matches!(decode_path("/plain"), Ok(Cow::Borrowed(_))));
}

#[test]
fn a_path_that_two_servers_could_interpret_differently_is_ambiguous() {
    for (path, ambiguity) in [
        ("/a%", PathAmbiguity::BrokenEscape),
        ("/a%2", PathAmbiguity::BrokenEscape),
        ("/a%2x", PathAmbiguity::BrokenEscape),
        ("/a%u0061", PathAmbiguity::BrokenEscape),
        ("/a%+1", PathAmbiguity::BrokenEscape),
        ("/a%2Fb", PathAmbiguity::ForbiddenByte(b'/')),
        ("/a%2fb", PathAmbiguity::ForbiddenByte(b'/')),
        ("/a%5Cb", PathAmbiguity::ForbiddenByte(b'\\')),
        ("/a\\b", PathAmbiguity::ForbiddenByte(b'\\')),
        ("/a%00", PathAmbiguity::ForbiddenByte(0)),
        ("/a%0d%0a", PathAmbiguity::ForbiddenByte(b'\r')),
        ("/a%7f", PathAmbiguity::ForbiddenByte(0x7f)),
        ("/a%252e", PathAmbiguity::ForbiddenByte(b'%')),
        ("/a;b", PathAmbiguity::ForbiddenByte(b';')),
        ("/a%3bb", PathAmbiguity::ForbiddenByte(b';')),
        ("/a%3Fb", PathAmbiguity::ForbiddenByte(b'?')),
        ("/a%23b", PathAmbiguity::ForbiddenByte(b'#')),
        ("/\u{fc}", PathAmbiguity::RawNonAscii),
        ("/%fc", PathAmbiguity::InvalidUtf8),
        ("/%c0%af", PathAmbiguity::InvalidUtf8),
        ("/%c1%a1dmin", PathAmbiguity::InvalidUtf8),
        ("/%e0%80%af", PathAmbiguity::InvalidUtf8),
        ("/%ed%a0%80", PathAmbiguity::InvalidUtf8),
        ("/%EF%BD%81dmin", PathAmbiguity::Lookalike),
        ("/%EF%BC%8Fadmin", PathAmbiguity::Lookalike),
        ("/admin%E2%80%8B", PathAmbiguity::Lookalike),
        ("/%E2%84%AAey", PathAmbiguity::Lookalike),
        ("/a%CC%88", PathAmbiguity::Lookalike),
        ("/pa%C3%9Fword", PathAmbiguity::Lookalike),
        ("/%C7%B0", PathAmbiguity::Lookalike),
        ("/admin%CD%BEx", PathAmbiguity::Lookalike),
        ("/%E1%84%92%E1%85%A1%E1%86%AB", PathAmbiguity::Lookalike),
        ("/SECRE~1/x", PathAmbiguity::NtfsAlias),
        ("/SECRE%7E%31/x", PathAmbiguity::NtfsAlias),
        ("/pub/secret::$DATA/x", PathAmbiguity::NtfsAlias),
        ("/pub/secret%3A:%24DATA/x", PathAmbiguity::NtfsAlias),
        ("/(S(x))/admin", PathAmbiguity::SessionSegment),
        ("/a/%28s%28x))/admin", PathAmbiguity::SessionSegment),
        ("/se%C2%A9ret", PathAmbiguity::Lookalike),
        ("//", PathAmbiguity::EmptySegment),
        ("//a", PathAmbiguity::EmptySegment),
        ("/a//b", PathAmbiguity::EmptySegment),
        ("/a//", PathAmbiguity::EmptySegment),
        ("/.", PathAmbiguity::SegmentEnd),
        ("/..", PathAmbiguity::SegmentEnd),
        ("/./a", PathAmbiguity::SegmentEnd),
        ("/a/../b", PathAmbiguity::SegmentEnd),
        ("/a/%2e%2e/b", PathAmbiguity::SegmentEnd),
        ("/a/.%2E/b", PathAmbiguity::SegmentEnd),
        ("/a./b", PathAmbiguity::SegmentEnd),
        ("/a...", PathAmbiguity::SegmentEnd),
        ("/a%20/b", PathAmbiguity::SegmentEnd),
        ("/%20a", PathAmbiguity::SegmentEnd),
        ("/a%20", PathAmbiguity::SegmentEnd),
    ] {
        assert_eq!(decode_path(path), Err(ambiguity), "{path}");
    }
}

#[test]
fn a_rejection_names_the_byte() {
    for (byte, expected) in [
        (b';', "a \";\" (%3B), raw or encoded"),
        (b'\\', "a \"backslash\" (%5C), raw or encoded"),
        (0x07, "a control character (%07)"),
    ] {
        let detail = PathAmbiguity::ForbiddenByte(byte).rejection().detail;
        assert!(detail.contains(expected), "{detail}");
    }
}
