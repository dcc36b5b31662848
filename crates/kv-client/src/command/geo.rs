//! Commands on places on Earth, which are sorted sets.

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::class::Class::Write;
use crate::client::Client;
use crate::command::Command;
use crate::error::ReplyError;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::request::Request;
use crate::table::{Row, row};

/// The options of [`Client::geoadd`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GeoAddOptions;

/// The options of [`Client::geosearch`], [`Client::georadius_ro`] and [`Client::georadiusbymember_ro`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GeoSearchOptions;

/// The options of [`Client::georadius`] and [`Client::georadiusbymember`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GeoRadiusOptions;

/// The options of [`Client::geosearchstore`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GeoStoreOptions;

/// A unit of distance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GeoUnit {
    /// Metres.
    #[default]
    Metres,
    /// Kilometres.
    Kilometres,
    /// Miles.
    Miles,
    /// Feet.
    Feet,
}

/// Where a search has its middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GeoFrom<M> {
    /// A member of the set.
    Member(M),
    /// A longitude and a latitude, in degrees.
    LonLat(f64, f64),
}

impl GeoFrom<&'static str> {
    /// A longitude and a latitude, in degrees.
    #[must_use]
    pub fn lon_lat(longitude: f64, latitude: f64) -> Self {
        Self::LonLat(longitude, latitude)
    }
}

/// What a search takes in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GeoBy {
    /// What is no farther than this from the middle.
    Radius(f64, GeoUnit),
    /// What is in a box of this width and height.
    Box(f64, f64, GeoUnit),
}

/// A member that a search found, with what was asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GeoFound {
    /// The member.
    pub member: Bytes,
    /// Its distance from the middle, in the unit of the search.
    pub distance: Option<f64>,
    /// Its place as a number of 52 bits: its score.
    pub hash: Option<u64>,
    /// Its longitude and latitude, in degrees.
    pub position: Option<(f64, f64)>,
}

impl GeoUnit {
    fn word(self) -> &'static str {
        match self {
            Self::Metres => "m",
            Self::Kilometres => "km",
            Self::Miles => "mi",
            Self::Feet => "ft",
        }
    }
}

impl<M: ToArg> ToArgs for GeoFrom<M> {
    fn to_args(&self, request: &mut Request) {
        match self {
            Self::Member(member) => {
                request.push(b"FROMMEMBER");
                member.to_arg(request);
            }
            Self::LonLat(longitude, latitude) => {
                ("FROMLONLAT", longitude, latitude).to_args(request);
            }
        }
    }
}

impl ToArgs for GeoBy {
    fn to_args(&self, request: &mut Request) {
        match self {
            Self::Radius(radius, unit) => ("BYRADIUS", radius, unit.word()).to_args(request),
            Self::Box(width, height, unit) => {
                ("BYBOX", width, height, unit.word()).to_args(request);
            }
        }
    }
}

impl FromReply for GeoFound {
    /// A member alone, or a list of it and what else was asked for; each is of another type.
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut found = Self {
            member: Bytes::new(),
            distance: None,
            hash: None,
            position: None,
        };
        let Reply::Array(parts) = reply else {
            found.member = Bytes::from_reply(reply)?;
            return Ok(found);
        };
        let mut parts = parts.iter();
        found.member = Bytes::from_reply(parts.next().unwrap_or(Reply::Null))?;
        for part in parts {
            match part {
                Reply::Integer(_) => found.hash = FromReply::from_reply(part)?,
                Reply::Array(_) => found.position = FromReply::from_reply(part)?,
                _ => found.distance = FromReply::from_reply(part)?,
            }
        }
        Ok(found)
    }
}

/// A member that stands for where it is.
struct Member<M>(M);

impl<M: ToArg> ToArgs for Member<M> {
    fn to_args(&self, request: &mut Request) {
        self.0.to_arg(request);
    }
}

impl Client {
    /// [GEOADD](https://redis.io/docs/latest/commands/geoadd/): adds places, given as a longitude, a latitude and a
    /// member, one or a list of them; how many are new.
    pub fn geoadd(&self, key: impl ToArg, places: impl ToArgs) -> Command<'_, u64, GeoAddOptions> {
        self.typed(row!("GEOADD"))
            .with(key)
            .options_here()
            .with_all(places)
    }

    /// [GEODIST](https://redis.io/docs/latest/commands/geodist/): the distance between two members.
    pub fn geodist(
        &self,
        key: impl ToArg,
        member1: impl ToArg,
        member2: impl ToArg,
        unit: GeoUnit,
    ) -> Command<'_, Option<f64>> {
        self.typed(row!("GEODIST"))
            .with(key)
            .with(member1)
            .with(member2)
            .with(unit.word())
    }

    /// [GEOHASH](https://redis.io/docs/latest/commands/geohash/): the places of members as
    /// [geohashes](https://en.wikipedia.org/wiki/Geohash).
    pub fn geohash(
        &self,
        key: impl ToArg,
        members: impl ToArgs,
    ) -> Command<'_, Vec<Option<String>>> {
        self.typed(row!("GEOHASH")).with(key).with_all(members)
    }

    /// [GEOPOS](https://redis.io/docs/latest/commands/geopos/): the longitudes and latitudes of members, in degrees.
    pub fn geopos(
        &self,
        key: impl ToArg,
        members: impl ToArgs,
    ) -> Command<'_, Vec<Option<(f64, f64)>>> {
        self.typed(row!("GEOPOS")).with(key).with_all(members)
    }

    /// [GEORADIUS](https://redis.io/docs/latest/commands/georadius/): the members near a place; the old form of
    /// [`geosearch`](Self::geosearch).
    pub fn georadius(
        &self,
        key: impl ToArg,
        longitude: f64,
        latitude: f64,
        radius: f64,
        unit: GeoUnit,
    ) -> Command<'_, Vec<Bytes>, GeoRadiusOptions> {
        self.around(row!("GEORADIUS"), key, (longitude, latitude), radius, unit)
    }

    /// [GEORADIUS_RO](https://redis.io/docs/latest/commands/georadius_ro/): the members near a place; the old form of
    /// [`geosearch`](Self::geosearch).
    pub fn georadius_ro(
        &self,
        key: impl ToArg,
        longitude: f64,
        latitude: f64,
        radius: f64,
        unit: GeoUnit,
    ) -> Command<'_, Vec<Bytes>, GeoSearchOptions> {
        self.around(
            row!("GEORADIUS_RO"),
            key,
            (longitude, latitude),
            radius,
            unit,
        )
    }

    /// [GEORADIUSBYMEMBER](https://redis.io/docs/latest/commands/georadiusbymember/): the members near a member; the
    /// old form of [`geosearch`](Self::geosearch).
    pub fn georadiusbymember(
        &self,
        key: impl ToArg,
        member: impl ToArg,
        radius: f64,
        unit: GeoUnit,
    ) -> Command<'_, Vec<Bytes>, GeoRadiusOptions> {
        self.around(row!("GEORADIUSBYMEMBER"), key, Member(member), radius, unit)
    }

    /// [GEORADIUSBYMEMBER_RO](https://redis.io/docs/latest/commands/georadiusbymember_ro/): the members near a member;
    /// the old form of [`geosearch`](Self::geosearch).
    pub fn georadiusbymember_ro(
        &self,
        key: impl ToArg,
        member: impl ToArg,
        radius: f64,
        unit: GeoUnit,
    ) -> Command<'_, Vec<Bytes>, GeoSearchOptions> {
        self.around(
            row!("GEORADIUSBYMEMBER_RO"),
            key,
            Member(member),
            radius,
            unit,
        )
    }

    /// The members in a circle around `center`: a longitude and a latitude, or a member.
    fn around<O>(
        &self,
        row: &'static Row,
        key: impl ToArg,
        center: impl ToArgs,
        radius: f64,
        unit: GeoUnit,
    ) -> Command<'_, Vec<Bytes>, O> {
        self.typed(row)
            .with(key)
            .with_all(center)
            .with(radius)
            .with(unit.word())
    }

    /// [GEOSEARCH](https://redis.io/docs/latest/commands/geosearch/): the members in a circle or a box.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use kv_client::{GeoBy, GeoFrom, GeoUnit::Kilometres};
    ///
    /// let around = GeoBy::Radius(200.0, Kilometres);
    /// let names: Vec<String> = client.geosearch("sicily", GeoFrom::lon_lat(15.0, 37.0), around).into().await?;
    /// for town in client.geosearch("sicily", GeoFrom::Member("Palermo"), around).withdist().asc().count(5).await? {
    ///     println!("{:?} {:?}", town.member, town.distance);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn geosearch<M: ToArg>(
        &self,
        key: impl ToArg,
        from: GeoFrom<M>,
        by: GeoBy,
    ) -> Command<'_, Vec<Bytes>, GeoSearchOptions> {
        self.typed(row!("GEOSEARCH"))
            .with(key)
            .with_all(from)
            .with_all(by)
    }

    /// [GEOSEARCHSTORE](https://redis.io/docs/latest/commands/geosearchstore/): keeps [`geosearch`](Self::geosearch) as a
    /// sorted set; its size.
    pub fn geosearchstore<M: ToArg>(
        &self,
        to: impl ToArg,
        key: impl ToArg,
        from: GeoFrom<M>,
        by: GeoBy,
    ) -> Command<'_, u64, GeoStoreOptions> {
        self.typed(row!("GEOSEARCHSTORE"))
            .with(to)
            .with(key)
            .with_all(from)
            .with_all(by)
    }
}

impl<'a, T> Command<'a, T, GeoAddOptions> {
    /// Only adds members, and moves none.
    pub fn nx(self) -> Self {
        self.option("NX")
    }

    /// Only moves members, and adds none.
    pub fn xx(self) -> Self {
        self.option("XX")
    }

    /// Counts the members that were moved, too.
    pub fn ch(self) -> Self {
        self.option("CH")
    }
}

macro_rules! order_and_count {
    ($($options:ident),+) => {$(
        impl<T> Command<'_, T, $options> {
            /// The nearest first.
            pub fn asc(self) -> Self {
                self.with("ASC")
            }

            /// The farthest first.
            pub fn desc(self) -> Self {
                self.with("DESC")
            }

            /// Up to so many, the nearest unless another order is asked for.
            pub fn count(self, count: u64) -> Self {
                self.with("COUNT").with(count)
            }

            /// Up to so many, whichever are found first.
            pub fn count_any(self, count: u64) -> Self {
                self.with("COUNT").with(count).with("ANY")
            }
        }
    )+};
}

order_and_count!(GeoSearchOptions, GeoRadiusOptions, GeoStoreOptions);

macro_rules! details {
    ($($options:ident),+) => {$(
        impl<'a, T> Command<'a, T, $options> {
            /// With the longitude and the latitude of each.
            pub fn withcoord(self) -> Command<'a, Vec<GeoFound>, $options> {
                self.with("WITHCOORD").decoded(Vec::from_reply)
            }

            /// With the distance of each from the middle.
            pub fn withdist(self) -> Command<'a, Vec<GeoFound>, $options> {
                self.with("WITHDIST").decoded(Vec::from_reply)
            }

            /// With the score of each.
            pub fn withhash(self) -> Command<'a, Vec<GeoFound>, $options> {
                self.with("WITHHASH").decoded(Vec::from_reply)
            }
        }
    )+};
}

details!(GeoSearchOptions, GeoRadiusOptions);

impl<'a, T> Command<'a, T, GeoRadiusOptions> {
    /// Keeps what was found as a sorted set; its size.
    pub fn store(self, to: impl ToArg) -> Command<'a, u64, GeoRadiusOptions> {
        self.with_class(Write)
            .with("STORE")
            .with(to)
            .decoded(u64::from_reply)
    }

    /// Keeps what was found as a sorted set whose scores are the distances; its size.
    pub fn storedist(self, to: impl ToArg) -> Command<'a, u64, GeoRadiusOptions> {
        self.with_class(Write)
            .with("STOREDIST")
            .with(to)
            .decoded(u64::from_reply)
    }
}

impl<T> Command<'_, T, GeoStoreOptions> {
    /// The scores are the distances.
    pub fn storedist(self) -> Self {
        self.with("STOREDIST")
    }
}
