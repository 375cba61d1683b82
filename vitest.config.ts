import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: {
    alias: {
      "dandori/tasks": fileURLToPath(new URL("tasks/index.ts", import.meta.url)),
      "dandori/testing": fileURLToPath(new URL("src/testing/index.ts", import.meta.url)),
      dandori: fileURLToPath(new URL("src/index.ts", import.meta.url)),
    },
  },
  test: {
    pool: "threads",
    // One worker for each core: most of the time of a test is that of the processes that it waits for.
    maxWorkers: "100%",
    globalSetup: "test/support/temporary-folder.ts",
    include: ["test/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
})
