//! Structs from hashes and to hashes, by derived implementations.

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use bytes::Bytes;
use kv_client::{Client, ErrorKind, FromReply, Outcome, ToArgs};
use servers::on_every_server;

#[derive(Clone, Debug, PartialEq, FromReply, ToArgs)]
struct User {
    name: String,
    #[kv(rename = "birth-year")]
    born: u16,
    #[kv(default)]
    visits: u64,
    email: Option<String>,
    avatar: Bytes,
    r#type: String,
}

/// A struct with a parameter, and one that wraps another type.
#[derive(Debug, PartialEq, FromReply, ToArgs)]
struct Reading<T> {
    value: T,
}

#[derive(Debug, PartialEq, FromReply, ToArgs)]
struct Celsius(f64);

/// Borrowed data can be written.
#[derive(ToArgs)]
struct Note<'a> {
    text: &'a str,
    raw: &'a [u8],
}

fn ada() -> User {
    User {
        name: "Ada\r\n".to_owned(),
        born: 1815,
        visits: 7,
        email: None,
        avatar: Bytes::from_static(b"\xff\0"),
        r#type: "person".to_owned(),
    }
}

#[tokio::test]
async fn a_struct_goes_to_a_hash_and_comes_back() {
    on_every_server("HGETALL", async |client: Client| {
        let c = &client;
        assert_eq!(
            c.hset("user:1", ada()).await.unwrap(),
            5,
            "None is no field"
        );
        assert_eq!(
            c.hget("user:1", "birth-year").await.unwrap().unwrap(),
            "1815"
        );
        assert_eq!(c.hgetall("user:1").into::<User>().await.unwrap(), ada());

        c.hset(
            "user:1",
            [("email", "ada@example.org"), ("other", "ignored")],
        )
        .await
        .unwrap();
        c.hdel("user:1", "visits").await.unwrap();
        let user: Option<User> = c.hgetall("user:1").into().await.unwrap();
        let expected = User {
            visits: 0,
            email: Some("ada@example.org".to_owned()),
            ..ada()
        };
        assert_eq!(user, Some(expected));
        assert_eq!(
            c.hgetall("nobody").into::<Option<User>>().await.unwrap(),
            None
        );

        let note = Note {
            text: "hi",
            raw: b"\0",
        };
        assert_eq!(c.hset("note", note).await.unwrap(), 2);
        let warm = Reading {
            value: Celsius(21.5),
        };
        c.hset("r", warm).await.unwrap();
        let reading: Reading<Celsius> = c.hgetall("r").into().await.unwrap();
        assert_eq!(reading.value, Celsius(21.5));
        let (user, temperature) = c
            .pipeline((
                c.hgetall("user:1").into::<User>(),
                c.hget("r", "value").into::<Celsius>(),
            ))
            .await
            .unwrap();
        assert_eq!((user.born, temperature), (1815, Celsius(21.5)));
    })
    .await;
}

#[tokio::test]
async fn an_error_names_the_command_the_field_and_what_is_wrong_with_it() {
    on_every_server("HGETALL", async |client: Client| {
        client.hset("u", ("name", "x")).await.unwrap();
        let missing = client.hgetall("u").into::<User>().await.unwrap_err();
        assert_eq!(missing.to_string(), "HGETALL: expected a map with the field 'birth-year', got one without it");
        client.hset("u", ("birth-year", "long ago")).await.unwrap();
        let wrong = client.hgetall("u").into::<User>().await.unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "HGETALL: expected an integer (u16) in the field 'birth-year', got a bulk string of 8 bytes"
        );
        assert!(matches!(wrong.kind(), ErrorKind::Reply(_)));
        assert_eq!(wrong.outcome(), Outcome::Executed);
    })
    .await;
}
