//! Answers and requests that come in pieces, in HTTP/1 and HTTP/2, seen through the client that
//! tests use.

use std::time::Duration;

use steerage_harness::{
    Bytes, Client, HarnessError, Reply, Request, SentBody, Upstream, eventually, grpc, raw, run,
};

const BOTH: [fn() -> Client; 2] = [Client::new, || Client::new().http2()];

/// A pause of a server.
const PAUSE: Duration = Duration::from_millis(100);

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(10);

fn get(path: &str) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = path.parse().unwrap_or_default();
    request
}

#[test]
fn an_answer_is_seen_piece_by_piece() {
    run(async {
        for client in BOTH {
            let upstream =
                Upstream::start(|_, _| Reply::ok().send("one").pause(PAUSE).send("two")).await?;
            let mut opened = client().open(upstream.addr(), get("/")).await?;
            assert_eq!(opened.status, 200);
            assert_eq!(opened.chunk().await?.unwrap(), "one");
            let rest = opened.rest().await?;
            assert_eq!((&*rest.text(), rest.elapsed >= PAUSE), ("two", true));
            let received = &upstream.received()[0];
            assert_eq!(received.path, "/", "{received:?}");
            assert_eq!(received.header("host"), Some(upstream.addr().to_string()));
        }
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn an_answer_that_breaks_off_or_stays_silent_is_none() {
    run(async {
        for client in BOTH {
            let client = client();
            let upstream = Upstream::start(|received, _| match &*received.path {
                "/reset" => Reply::reset(),
                "/head" => Reply::ok().reset_after_headers(),
                "/body" => Reply::ok().send("one").break_off(),
                "/silent" => Reply::ok().send("one").silence(),
                "/hang" => Reply::hang(),
                _ => Reply::ok(),
            })
            .await?;
            let addr = upstream.addr();
            assert!(client.open(addr, get("/reset")).await.is_err());
            let mut opened = client.open(addr, get("/head")).await?;
            assert!(opened.chunk().await.is_err());
            let mut opened = client.open(addr, get("/body")).await?;
            assert_eq!(opened.chunk().await?.unwrap(), "one");
            let cut = opened.chunk().await;
            assert!(cut.is_err(), "{client:?}: {cut:?}");
            assert_eq!(client.get(addr, "/well").await?.status, 200);

            // Who leaves is missed.
            let mut opened = client.open(addr, get("/silent")).await?;
            assert_eq!(opened.chunk().await?.unwrap(), "one");
            assert_eq!(upstream.open(), 1);
            drop(opened);
            let none = async || (upstream.open() == 0).then_some(());
            eventually("the end of a request", LONG, none).await?;
            let impatient = client.clone().patience(PAUSE);
            assert!(impatient.get(addr, "/hang").await.is_err());
            eventually("the end of a request", LONG, none).await?;
        }
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn a_server_may_echo_while_the_client_still_sends() {
    run(async {
        for client in BOTH {
            let upstream = Upstream::start(|_, _| Reply::ok()).await?;
            upstream.set_early(|_, _| {
                let echo = grpc::stream().header("trailer", "grpc-status").echo();
                grpc::end(echo, 7)
            });
            let (outgoing, body) = SentBody::piecewise();
            outgoing.send(grpc::message("one"));
            let call = grpc::head("/").map(|()| body);
            let mut opened = client().open(upstream.addr(), call).await?;
            for said in ["one", "two"] {
                let heard = opened.chunk().await?.unwrap();
                assert_eq!(grpc::messages(&heard), [said]);
                outgoing.send(grpc::message("two"));
            }
            drop(outgoing);
            let rest = opened.rest().await?;
            assert_eq!(grpc::status(&rest), Some(7), "{rest:?}");

            let (outgoing, body) = SentBody::piecewise();
            outgoing.break_off();
            let call = grpc::head("/").map(|()| body);
            let broken = async { client().open(upstream.addr(), call).await?.rest().await };
            assert!(broken.await.is_err());
        }
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn calls_of_grpc_have_messages_and_a_status() {
    run(async {
        let upstream = Upstream::start(|received, _| match &*received.path {
            "/fails" => grpc::failure(14),
            _ => grpc::reply(&grpc::messages(&received.body).concat()),
        })
        .await?;
        let client = Client::new().http2();
        let answer = client
            .request(upstream.addr(), grpc::call("/", "hello"))
            .await?;
        assert_eq!(grpc::messages(&answer.body), ["hello"]);
        assert_eq!(grpc::status(&answer), Some(0));
        let answer = client
            .request(upstream.addr(), grpc::call("/fails", "hello"))
            .await?;
        assert_eq!(grpc::status(&answer), Some(14));
        assert!(answer.trailers.is_empty() && !answer.headers.contains_key("content-length"));
        assert_eq!(upstream.connections(), 1);
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn an_upgraded_connection_echoes() {
    run(async {
        let upstream = Upstream::start(|_, _| Reply::upgrade()).await?;
        let hello = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n\
            GET / HTTP/1.1\r\ncontent-length: 0\r\n\r\n";
        // What is sent back looks like an answer, so that its end is seen.
        let answer = raw(upstream.addr(), hello).await?;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        assert!(answer.contains("upgrade: echo\r\n"), "{answer}");
        assert!(answer.ends_with("GET / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"));
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}
