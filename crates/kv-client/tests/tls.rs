//! TLS against redis-server, with certificates that are made here.

#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use std::time::Duration;

use certificates::Certificates;
use kv_client::{Client, Config, Error, ErrorKind, Tls, UrlError};
use servers::Redis;

/// A server with a plain port and a secured one, which is given back too.
async fn server(certificates: &Certificates, auth_clients: &str) -> Option<(Redis, u16)> {
    let port = ports::free_port();
    let port_text = port.to_string();
    let mut args = vec!["--tls-port", &port_text, "--tls-auth-clients", auth_clients];
    let files = certificates.server_args();
    args.extend(files.iter().map(String::as_str));
    let redis = Redis::start(&args).await?;
    Some((redis, port))
}

fn config(port: u16, tls: Tls) -> Config {
    let config: Config = format!("127.0.0.1:{port}").parse().unwrap();
    config.tls(tls).connect_timeout(Duration::from_secs(60))
}

async fn refused(config: Config) -> Error {
    Client::connect(config)
        .await
        .expect_err("it is to be refused")
}

fn cause(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Connect { source, .. } => source.to_string(),
        other => panic!("expected a failed connection, got {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_one_and_nobody_without_is_let_in() {
    let certificates = Certificates::new("mutual");
    let Some((mut redis, port)) = server(&certificates, "yes").await else {
        return;
    };
    let url = format!("rediss://127.0.0.1:{port}?{}", certificates.url_options());
    assert_eq!(url.parse::<Config>().unwrap().to_string(), url);
    let client = Client::connect(&url)
        .await
        .expect("both sides trust each other");
    // Larger than any buffer on the way.
    let large = vec![b'x'; 3_000_000];
    let (_, copy) = client
        .pipeline((client.set("large", &large), client.get("large")))
        .await
        .unwrap();
    assert_eq!(copy.unwrap(), large);
    let (popped, _) = tokio::join!(
        client
            .command("BLPOP")
            .arg(("queue", 5))
            .into::<(String, String)>()
            .into_future(),
        client.rpush("queue", "job").into_future()
    );
    assert_eq!(popped.unwrap().1, "job");
    // A new connection is secured like the first.
    redis.kill();
    redis.start_again().await;
    client.set("k", "v").await.expect("connected anew");
    client.close().await;

    let anonymous = Tls::new().ca_file(certificates.path("ca.pem"));
    let error = refused(config(port, anonymous)).await;
    assert!(cause(&error).contains("CertificateRequired"), "{error:?}");
}

#[tokio::test]
async fn a_server_is_trusted_only_with_the_right_authority_and_name() {
    let certificates = Certificates::new("trust");
    let Some((redis, port)) = server(&certificates, "no").await else {
        return;
    };
    let ours = || Tls::new().ca_pem(certificates.read("ca.pem"));
    for tls in [ours(), ours().server_name("db.example")] {
        let client = Client::connect(config(port, tls)).await.expect("trusted");
        client.ping().await.unwrap();
        client.close().await;
    }
    let error = refused(config(port, ours().server_name("other.example"))).await;
    assert!(cause(&error).contains("not valid for name"), "{error:?}");
    for tls in [
        Tls::new(),
        Tls::new().ca_file(certificates.path("stranger.pem")),
    ] {
        let error = refused(config(port, tls)).await;
        assert!(cause(&error).contains("UnknownIssuer"), "{error:?}");
    }

    // Wrong use has a clear error.
    let plain = config(redis.addr.port(), ours()).connect_timeout(Duration::from_secs(1));
    let error = refused(plain).await;
    assert!(
        cause(&error).ends_with("does this port speak TLS?"),
        "{error:?}"
    );
    let error = Client::connect(format!("127.0.0.1:{port}"))
        .await
        .unwrap_err();
    // Whether the server's end comes first, or that it did not read everything, is a matter of timing.
    let ends = ["closed by the server", "reset by peer", "Broken pipe"];
    assert!(
        ends.iter().any(|end| cause(&error).contains(end)),
        "{error:?}"
    );
    let missing = certificates.path("missing.pem");
    let error = refused(config(port, Tls::new().ca_file(&missing))).await;
    assert!(cause(&error).starts_with(&missing), "{error:?}");
    let error = refused(config(
        port,
        ours().identity_files(certificates.path("ca.pem"), certificates.path("ca.pem")),
    ))
    .await;
    assert!(
        cause(&error).starts_with(&certificates.path("ca.pem")),
        "a certificate is no key: {error:?}"
    );
    let url = format!("rediss://127.0.0.1:{port}?cert_file=a.pem");
    assert_eq!(
        url.parse::<Config>().unwrap_err(),
        UrlError::Missing("key_file beside cert_file")
    );
}
