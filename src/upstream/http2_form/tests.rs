use super::*;

fn target() -> RequestTarget {
    RequestTarget::of(&Origin {
        scheme: Scheme::HTTPS,
        authority: Authority::from_static("api.example.com:8443"),
    })
}

fn request() -> Request<()> {
    Request::post("/a%2Fb?c=d")
        .header("host", "api.example.com:8443")
        .header("connection", "te")
        .header("te", "trailers")
        .header("cookie", "a=1; b=2")
        .body(())
        .unwrap()
}

#[test]
fn the_authority_takes_the_place_of_host_and_nothing_of_a_connection_stays() {
    let mut request = request();
    let headers = request.headers_mut();
    headers.insert("transfer-encoding", HeaderValue::from_static("chunked"));
    headers.insert("expect", HeaderValue::from_static("100-continue"));
    target().to_http2(&mut request);
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.uri(), "https://api.example.com:8443/a%2Fb?c=d");
    let names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["te", "cookie"]);
    assert_eq!(request.headers()["cookie"], "a=1; b=2");
}

#[test]
fn a_request_that_goes_out_as_http1_after_all_is_what_it_was() {
    let mut changed = request();
    target().to_http2(&mut changed);
    target().to_http1(&mut changed);
    assert_eq!(changed.version(), Version::HTTP_11);
    assert_eq!(changed.uri(), request().uri());
    assert_eq!(changed.headers().len(), request().headers().len());
    for (name, value) in request().headers() {
        assert_eq!(changed.headers().get(name), Some(value));
    }
}

#[test]
fn grpc_is_recognized_by_its_media_type_and_grpc_web_is_not_grpc() {
    let is = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
        is_grpc(&headers)
    };
    for value in [
        "application/grpc",
        "Application/gRPC+proto",
        "application/grpc; charset=utf-8",
    ] {
        assert!(is(value), "{value}");
    }
    for value in [
        "application/grpc-web+proto",
        "application/json",
        "text/plain",
    ] {
        assert!(!is(value), "{value}");
    }
    assert!(!is_grpc(&HeaderMap::new()));
}

#[test]
fn only_announced_names_may_be_trailers() {
    let mut request = request();
    assert!(announced_trailers(request.headers()).is_empty());
    let headers = request.headers_mut();
    headers.append("trailer", HeaderValue::from_static("x-one, x-two"));
    headers.append("trailer", HeaderValue::from_static("x-three"));
    let names = announced_trailers(request.headers());
    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    assert_eq!(names, ["x-one", "x-two", "x-three"]);
}
