// bench-onnxruntime.js MODEL.onnx SIZE BATCH THREADS RUNS: for bench-peers, one JSON line with ONNX Runtime's median. NODE_PATH
// names the folder with onnxruntime-node.
const runtime = require('onnxruntime-node');
const [file, ...numbers] = process.argv.slice(2);
const [size, batch, threads, runs] = numbers.map(Number);

async function main() {
  const options = {intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all'};
  const session = await runtime.InferenceSession.create(file, options);
  const pixels = Float32Array.from({length: batch * 3 * size * size}, (_, i) => Math.sin(i * 0.37));
  const input = {pixels: new runtime.Tensor('float32', pixels, [batch, 3, size, size])};
  const seconds = [];
  await session.run(input);
  for (let i = 0; i < runs; ++i) {
    const start = performance.now();
    await session.run(input);
    seconds.push((performance.now() - start) / 1000);
  }
  seconds.sort((a, b) => a - b);
  const {version} = require('onnxruntime-node/package.json');
  console.log(JSON.stringify({images_per_second: batch / seconds[runs >> 1], backend: `ONNX Runtime ${version}, CPU, f32`}));
}

main();
