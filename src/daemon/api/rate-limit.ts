/** Addresses that are remembered at most; beyond it the one that was not heard of for longest is forgotten. */
const mostAddresses = 10_000

interface Bucket {
  tokens: number
  at: number
}

/**
 * Requests of one address: `perMinute` of them at once, and refilled evenly over a minute. Gives how long to wait,
 * milliseconds; 0 where the request may go on. Times are milliseconds that only grow.
 */
export const make = (perMinute: number) => {
  const buckets = new Map<string, Bucket>()
  const perMilli = perMinute / 60_000
  return (address: string, now: number): number => {
    const bucket = buckets.get(address) ?? { tokens: perMinute, at: now }
    buckets.delete(address)
    buckets.set(address, bucket)
    bucket.tokens = Math.min(perMinute, bucket.tokens + Math.max(0, now - bucket.at) * perMilli)
    bucket.at = now
    const [oldest] = buckets.keys()
    if (buckets.size > mostAddresses && oldest !== undefined) buckets.delete(oldest)
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / perMilli)
    bucket.tokens -= 1
    return 0
  }
}
