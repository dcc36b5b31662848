//! The relay: pictures, voice and video, chunk by chunk.

mod common;

use common::{client, large, plain, relay, reply, text};
use framed_echo::{
    Kind, Message, Reply, Request,
    client::{SendError, Sent},
    control::Code,
    server::Config,
};
use futures::SinkExt;

#[tokio::test]
async fn text_overtakes_a_large_body_between_sessions() {
    const LEN: usize = 3_000_000;
    let server = relay(Config::default()).await;
    let (alice, _in) = client(&server, 1).await;
    let (_bob, mut incoming) = client(&server, 2).await;
    let mut video = alice
        .open(2, Kind::VIDEO, u32::try_from(LEN).expect("short"))
        .await
        .expect("open");
    assert!(video.write(vec![1; LEN / 2].into()).await);
    let mut received = large(&mut incoming).await;
    let mut body = Vec::new();
    while body.len() < LEN / 2 {
        body.extend_from_slice(
            &received
                .chunk()
                .await
                .expect("under way")
                .expect("half of it"),
        );
    }
    // The other half has not even been produced, and text passes.
    let posted = alice
        .post(Message::text(1, 2, "meanwhile"))
        .await
        .expect("open");
    assert_eq!(text(&mut incoming).await, "meanwhile");
    incoming.acknowledge();
    assert_eq!(
        posted.outcome().await.expect("acknowledged"),
        Sent::Delivered
    );

    assert!(video.write(vec![2; LEN / 2].into()).await);
    while let Some(chunk) = received.chunk().await.expect("under way") {
        body.extend_from_slice(&chunk);
    }
    assert!(body == [vec![1; LEN / 2], vec![2; LEN / 2]].concat());
    assert_eq!(video.finish().await.expect("acknowledged"), Sent::Delivered);
}

#[tokio::test]
async fn a_large_body_reaches_plain_and_new_clients_alike() {
    let body: Vec<u8> = (0..400_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let server = relay(Config::default()).await;
    let mut old = plain(&server, 2).await;
    let (_new, mut incoming) = client(&server, 2).await;
    let mut sender = plain(&server, 1).await;
    let send = sender.send(Request::new(1, 2, Kind::PICTURE, body.clone()));
    let (sent, by_old, by_new) = tokio::join!(send, reply(&mut old), async {
        large(&mut incoming).await.collect().await
    });
    sent.expect("open");
    assert!(by_old == Reply::new(1, Kind::PICTURE, body.clone()));
    let by_new = by_new.expect("whole");
    assert_eq!((by_new.head.sender, by_new.head.kind), (1, Kind::PICTURE));
    assert!(by_new.body == body);
}

#[tokio::test]
async fn a_broken_off_large_body_is_said_to_be_so() {
    let server = relay(Config::default()).await;
    let (alice, _in) = client(&server, 1).await;
    let (_bob, mut incoming) = client(&server, 2).await;
    let mut video = alice.open(2, Kind::VIDEO, 1_000_000).await.expect("open");
    assert!(video.write(vec![1; 200_000].into()).await);
    let mut received = large(&mut incoming).await;
    assert!(matches!(video.finish().await, Err(SendError::Incomplete)));
    let error = loop {
        match received.chunk().await {
            Ok(chunk) => assert!(chunk.is_some(), "it cannot be complete"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.len, 1_000_000);
    let posted = alice
        .post(Message::text(1, 2, "sorry"))
        .await
        .expect("open");
    assert_eq!(text(&mut incoming).await, "sorry");
    incoming.acknowledge();
    posted.outcome().await.expect("the connections live on");
}

#[tokio::test]
async fn a_large_body_for_somebody_away_is_kept_if_short_and_refused_if_long() {
    let server = relay(Config::default()).await;
    let (alice, _in) = client(&server, 1).await;
    let short = Message::new(1, 2, Kind::PICTURE, vec![7; 200_000]);
    assert_eq!(alice.send(short.clone()).await.expect("kept"), Sent::Kept);
    let long = alice
        .send(Message::new(1, 2, Kind::PICTURE, vec![7; 300_000]))
        .await;
    assert!(
        matches!(&long, Err(SendError::Refused(refusal)) if refusal.code == Code::Away),
        "{long:?}"
    );
    let (_bob, mut incoming) = client(&server, 2).await;
    let kept = large(&mut incoming).await.collect().await.expect("whole");
    assert!(kept.body == short.body);
}
