-- Prints wrk's result as the JSON that load.mjs prints.
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"octets":%d,"errors":%d,"statuses":{"other":%d},"seconds":%f,"p50Us":%f,"p90Us":%f,"p99Us":%f,"p999Us":%f}\n',
    summary.requests, summary.bytes, e.connect + e.read + e.write + e.timeout, e.status, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9)))
end
