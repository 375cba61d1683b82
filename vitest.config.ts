import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: { alias: { "dandori/tasks": new URL("tasks/index.ts", import.meta.url).pathname, dandori: new URL("src/index.ts", import.meta.url).pathname } },
  test: {
    pool: "threads",
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
