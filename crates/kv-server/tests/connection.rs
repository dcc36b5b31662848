//! HELLO, AUTH, SELECT, CLIENT and their like, over raw bytes.

mod common;

use common::{Client, bulk, server, start};
use kv_server::Server;

async fn server_with_password() -> Server {
    start(Server::builder().password("secret")).await
}

/// The value of a field in a line of CLIENT LIST.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    line.split_ascii_whitespace()
        .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[tokio::test]
async fn hello_describes_the_server_in_both_versions() {
    let server = server().await;
    let mut client = Client::new(&server);
    let map = "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.6\r\n$5\r\nproto\r\n:{p}\r\n$2\r\nid\r\n:1\r\n\
               $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
    let in_resp2 = format!("*14\r\n{}", map.replace("{p}", "2"));
    let in_resp3 = format!("%7\r\n{}", map.replace("{p}", "3"));
    client.check("HELLO", &in_resp2).await;
    client.check("HELLO 3", &in_resp3).await;
    client.check("HELLO", &in_resp3).await;
    client.check("GET missing", "_\r\n").await;
    client.check("HELLO 2", &in_resp2).await;
    client.check("GET missing", "$-1\r\n").await;
}

#[tokio::test]
async fn hello_refuses_what_it_does_not_know_and_changes_nothing() {
    let server = server().await;
    let mut client = Client::new(&server);
    for (line, error) in [
        ("HELLO 4", "NOPROTO unsupported protocol version"),
        ("HELLO 1", "NOPROTO unsupported protocol version"),
        (
            "HELLO x",
            "ERR Protocol version is not an integer or out of range",
        ),
        ("HELLO 3 FOO", "ERR Syntax error in HELLO option 'FOO'"),
        (
            "HELLO 3 AUTH default",
            "ERR Syntax error in HELLO option 'AUTH'",
        ),
        (
            "HELLO 3 SETNAME",
            "ERR Syntax error in HELLO option 'SETNAME'",
        ),
        (
            "HELLO 3 SETNAME \"a b\"",
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ),
        (
            "HELLO 3 AUTH other x",
            "WRONGPASS invalid username-password pair or user is disabled.",
        ),
    ] {
        client.check(line, &format!("-{error}\r\n")).await;
        client.check("GET missing", "$-1\r\n").await;
    }
}

#[tokio::test]
async fn hello_authenticates_and_names_in_one_step() {
    let server = server_with_password().await;
    let mut client = Client::new(&server);
    client
        .check("HELLO 3", "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time\r\n")
        .await;
    client
        .check(
            "HELLO 3 AUTH default wrong",
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        )
        .await;
    client
        .check("GET k", "-NOAUTH Authentication required.\r\n")
        .await;
    let reply = client.call("HELLO 3 AUTH default secret SETNAME me").await;
    assert!(reply.starts_with("%7\r\n"), "{reply}");
    client.check("CLIENT GETNAME", &bulk("me")).await;
}

#[tokio::test]
async fn auth_takes_a_password_or_a_user_and_a_password() {
    let server = server_with_password().await;
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    for right in ["AUTH secret", "AUTH default secret"] {
        let mut client = Client::new(&server);
        client
            .check("PING", "-NOAUTH Authentication required.\r\n")
            .await;
        client.check("AUTH wrong", wrong).await;
        client.check("AUTH other secret", wrong).await;
        client
            .check("AUTH default secret more", "-ERR syntax error\r\n")
            .await;
        client
            .check("PING", "-NOAUTH Authentication required.\r\n")
            .await;
        client.check(right, "+OK\r\n").await;
        client.check("PING", "+PONG\r\n").await;
        client.check("AUTH wrong", wrong).await;
        client.check("PING", "+PONG\r\n").await;
    }
}

#[tokio::test]
async fn auth_without_a_configured_password_says_so() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check("AUTH secret", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n")
        .await;
    client.check("AUTH default anything", "+OK\r\n").await;
    client
        .check(
            "AUTH other anything",
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        )
        .await;
}

#[tokio::test]
async fn select_changes_the_database_of_one_connection() {
    let server = server().await;
    let (mut one, mut two) = (Client::new(&server), Client::new(&server));
    one.check("SELECT 15", "+OK\r\n").await;
    one.check("SET k v", "+OK\r\n").await;
    two.check("GET k", "$-1\r\n").await;
    two.check("SELECT 15", "+OK\r\n").await;
    two.check("GET k", &bulk("v")).await;
    for (line, error) in [
        ("SELECT 16", "ERR DB index is out of range"),
        ("SELECT -1", "ERR DB index is out of range"),
        ("SELECT x", "ERR value is not an integer or out of range"),
        (
            "SELECT 2147483648",
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ),
    ] {
        two.check(line, &format!("-{error}\r\n")).await;
    }
    two.check("GET k", &bulk("v")).await;
}

#[tokio::test]
async fn echo_and_ping_give_the_message_back() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("ECHO hello", &bulk("hello")).await;
    client.check("PING", "+PONG\r\n").await;
    client.check("PING hello", &bulk("hello")).await;
    client
        .check(
            "PING a b",
            "-ERR wrong number of arguments for 'ping' command\r\n",
        )
        .await;
}

#[tokio::test]
async fn quit_answers_what_came_before_it_and_nothing_behind_it() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.send("SET a 1\r\nQUIT\r\nSET a 2\r\n").await;
    client.expect("+OK\r\n+OK\r\n").await;
    client.expect_closed().await;
    Client::new(&server).check("GET a", &bulk("1")).await;
}

#[tokio::test]
async fn reset_makes_a_connection_as_good_as_new() {
    let server = server_with_password().await;
    let mut client = Client::new(&server);
    client.call("HELLO 3 AUTH default secret SETNAME me").await;
    client.check("CLIENT SETINFO LIB-NAME lib", "+OK\r\n").await;
    client.check("SELECT 3", "+OK\r\n").await;
    client.check("CLIENT NO-TOUCH ON", "+OK\r\n").await;
    client.check("CLIENT NO-EVICT ON", "+OK\r\n").await;
    client.check("RESET", "+RESET\r\n").await;
    client
        .check("PING", "-NOAUTH Authentication required.\r\n")
        .await;
    client.check("AUTH secret", "+OK\r\n").await;
    client.check("CLIENT GETNAME", "$-1\r\n").await;
    let info = client.call("CLIENT INFO").await;
    assert_eq!(field(&info, "db"), "0");
    assert_eq!(field(&info, "flags"), "N");
    assert_eq!(field(&info, "resp"), "2");
    assert_eq!(field(&info, "lib-name"), "lib", "the library stays");
}

#[tokio::test]
async fn names_and_libraries_show_in_the_list() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("CLIENT GETNAME", "$-1\r\n").await;
    client.check("CLIENT SETNAME worker", "+OK\r\n").await;
    client.check("CLIENT GETNAME", &bulk("worker")).await;
    client
        .check("CLIENT SETINFO lib-name redis-rs", "+OK\r\n")
        .await;
    client.check("CLIENT SETINFO LIB-VER 1.2", "+OK\r\n").await;
    for (line, error) in [
        ("CLIENT SETINFO foo bar", "ERR Unrecognized option 'foo'"),
        (
            "CLIENT SETINFO lib-ver \"a b\"",
            "ERR lib-ver cannot contain spaces, newlines or special characters.",
        ),
        (
            "CLIENT SETNAME \"a\\nb\"",
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ),
    ] {
        client.check(line, &format!("-{error}\r\n")).await;
    }
    let info = client.call("CLIENT INFO").await;
    assert_eq!(field(&info, "name"), "worker");
    assert_eq!(field(&info, "lib-name"), "redis-rs");
    assert_eq!(field(&info, "lib-ver"), "1.2");
    client.check("CLIENT SETNAME \"\"", "+OK\r\n").await;
    client.check("CLIENT GETNAME", "$-1\r\n").await;
    client.check("CLIENT SETINFO LIB-VER \"\"", "+OK\r\n").await;
    assert_eq!(field(&client.call("CLIENT INFO").await, "lib-ver"), "");
}

#[tokio::test]
async fn a_line_of_the_client_list_has_the_fields_of_redis_7_2_in_their_order() {
    let server = server().await;
    let mut client = Client::tcp(&server).await;
    client.request(["CLIENT", "LIST"]).await;
    let list = client.reply().await;
    let line = list.lines().nth(1).unwrap();
    let names: Vec<_> = line
        .split(' ')
        .map(|field| field.split_once('=').unwrap().0)
        .collect();
    assert_eq!(
        names.join(" "),
        "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll \
         omem tot-mem events cmd user redir resp lib-name lib-ver"
    );
    assert_eq!(field(line, "laddr"), server.addr().to_string());
    assert_eq!(field(line, "qbuf"), "26", "the bytes of this request");
    assert_eq!(field(line, "multi"), "-1");
    assert_eq!(field(line, "events"), "r");
    assert_eq!(field(line, "cmd"), "client|list");
    assert_eq!(field(line, "user"), "default");
    assert!(field(line, "fd").parse::<i32>().unwrap() > 2, "{line}");
    assert!(field(line, "tot-mem").parse::<u32>().unwrap() > 0, "{line}");
}

#[tokio::test]
async fn the_client_list_shows_all_or_some_connections_by_id() {
    let server = server().await;
    let mut clients = Vec::new();
    for name in ["one", "two", "three"] {
        let mut client = Client::new(&server);
        client
            .check(&format!("CLIENT SETNAME {name}"), "+OK\r\n")
            .await;
        clients.push(client);
    }
    let two = &mut clients[1];
    two.check("CLIENT ID", ":2\r\n").await;
    let names = |list: String| -> Vec<String> {
        let lines = list.lines().filter(|line| line.starts_with("id="));
        lines.map(|line| field(line, "name").to_owned()).collect()
    };
    for (line, shown) in [
        ("CLIENT LIST", &["one", "two", "three"][..]),
        ("CLIENT LIST TYPE normal", &["one", "two", "three"]),
        ("CLIENT LIST TYPE PUBSUB", &[]),
        ("CLIENT LIST TYPE replica", &[]),
        ("CLIENT LIST ID 3 1 99", &["three", "one"]),
        ("CLIENT LIST ID 2", &["two"]),
        ("CLIENT INFO", &["two"]),
    ] {
        assert_eq!(names(two.call(line).await), shown, "{line}");
    }
    for (line, error) in [
        ("CLIENT LIST TYPE foo", "ERR Unknown client type 'foo'"),
        ("CLIENT LIST TYPE", "ERR syntax error"),
        ("CLIENT LIST ID", "ERR syntax error"),
        ("CLIENT LIST ID x", "ERR Invalid client ID"),
        ("CLIENT LIST FOO BAR", "ERR syntax error"),
    ] {
        two.check(line, &format!("-{error}\r\n")).await;
    }
}

#[tokio::test]
async fn client_reply_keeps_replies_back() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .send("CLIENT REPLY OFF\r\nPING 1\r\nCLIENT REPLY SKIP\r\nPING 2\r\nCLIENT REPLY ON\r\nPING 3\r\n")
        .await;
    client.expect("+OK\r\n$1\r\n3\r\n").await;
    client
        .send("CLIENT REPLY SKIP\r\nPING 1\r\nPING 2\r\n")
        .await;
    client.expect("$1\r\n2\r\n").await;
    client
        .check("CLIENT REPLY MAYBE", "-ERR syntax error\r\n")
        .await;
}

#[tokio::test]
async fn client_kill_closes_the_connections_that_every_option_fits() {
    let server = server().await;
    let mut me = Client::new(&server);
    me.check("CLIENT ID", ":1\r\n").await;
    let mut two = Client::new(&server);
    two.check("CLIENT ID", ":2\r\n").await;
    let mut three = Client::tcp(&server).await;
    three.check("CLIENT ID", ":3\r\n").await;

    me.check("CLIENT KILL ID 2 TYPE pubsub", ":0\r\n").await;
    me.check("CLIENT KILL ID 2 USER default TYPE normal", ":1\r\n")
        .await;
    two.expect_closed().await;
    me.check("CLIENT LIST ID 2", "$0\r\n\r\n").await;

    let laddr = server.addr();
    me.check(&format!("CLIENT KILL LADDR {laddr}"), ":1\r\n")
        .await;
    three.expect_closed().await;

    me.check("CLIENT KILL TYPE normal", ":0\r\n").await;
    me.check("CLIENT KILL TYPE normal SKIPME no", ":1\r\n")
        .await;
    me.expect_closed().await;
}

#[tokio::test]
async fn client_kill_by_address_answers_ok_and_may_close_itself() {
    let server = server().await;
    let (mut one, mut two) = (Client::tcp(&server).await, Client::tcp(&server).await);
    let addr = field(&one.call("CLIENT INFO").await, "addr").to_owned();
    two.check("CLIENT KILL 1.2.3.4:5", "-ERR No such client\r\n")
        .await;
    two.check(&format!("CLIENT KILL {addr}"), "+OK\r\n").await;
    one.expect_closed().await;
    let own = field(&two.call("CLIENT INFO").await, "addr").to_owned();
    two.check(&format!("CLIENT KILL {own}"), "+OK\r\n").await;
    two.expect_closed().await;
}

#[tokio::test]
async fn client_kill_refuses_options_it_does_not_know() {
    let server = server().await;
    let mut client = Client::new(&server);
    for (line, error) in [
        (
            "CLIENT KILL",
            "ERR wrong number of arguments for 'client|kill' command",
        ),
        ("CLIENT KILL ID 0", "ERR client-id should be greater than 0"),
        ("CLIENT KILL ID x", "ERR client-id should be greater than 0"),
        ("CLIENT KILL USER nobody", "ERR No such user 'nobody'"),
        (
            "CLIENT KILL TYPE wrong_type",
            "ERR Unknown client type 'wrong_type'",
        ),
        ("CLIENT KILL SKIPME maybe", "ERR syntax error"),
        ("CLIENT KILL ID 1 TYPE", "ERR syntax error"),
        ("CLIENT KILL MAXAGE 10", "ERR syntax error"),
        (
            "CLIENT UNBLOCK 1 FOO",
            "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
        ),
        (
            "CLIENT UNBLOCK x",
            "ERR value is not an integer or out of range",
        ),
        ("CLIENT NO-EVICT maybe", "ERR syntax error"),
        ("CLIENT NO-TOUCH maybe", "ERR syntax error"),
        (
            "CLIENT PAUSE x",
            "ERR timeout is not an integer or out of range",
        ),
        ("CLIENT PAUSE -1", "ERR timeout is negative"),
        (
            "CLIENT PAUSE 9223372036854775807",
            "ERR timeout is out of range",
        ),
        (
            "CLIENT PAUSE 1 SOME",
            "ERR CLIENT PAUSE mode must be WRITE or ALL",
        ),
        (
            "CLIENT FOO",
            "ERR unknown subcommand 'FOO'. Try CLIENT HELP.",
        ),
    ] {
        client.check(line, &format!("-{error}\r\n")).await;
    }
    client.check("CLIENT UNBLOCK 99", ":0\r\n").await;
    client.check("PING", "+PONG\r\n").await;
}
