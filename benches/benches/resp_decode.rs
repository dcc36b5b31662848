//! Decoding with resp-codec; `src/bin/resp_compare.rs` compares with others.

#![expect(missing_docs, reason = "criterion_group! writes functions without")]

use benches::resp::{Parser, ours, workload};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn decode(c: &mut Criterion) {
    for workload in workload::all() {
        let mut group = c.benchmark_group(format!("resp_decode/{}", workload.name));
        group.throughput(Throughput::Elements(workload.frames as u64));
        let mut parsers: Vec<Box<dyn Parser>> = vec![
            Box::<ours::View>::default(),
            Box::<ours::Owned>::default(),
            Box::<ours::Codec>::default(),
        ];
        if workload.requests {
            parsers.push(Box::<ours::Requests>::default());
        }
        for mut parser in parsers {
            group.bench_function(parser.name(), |b| b.iter(|| parser.pass(&workload)));
        }
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
