import {defineConfig} from 'vitest/config';

// The release's page has these as globals; a plugin brings none of its own.
const globals = {
  'buildbot-data-js': 'BuildbotDataJs',
  'buildbot-plugin-support': 'BuildbotPluginSupport',
  'buildbot-ui': 'BuildbotUi',
  mobx: 'mobx',
  'mobx-react': 'mobxReact',
  react: 'React',
  'react-router-dom': 'ReactRouterDOM',
};

export default defineConfig({
  build: {
    target: 'es2020',
    outDir: 'buildbot_locks_view/static',
    lib: {
      entry: 'src/index.tsx',
      name: 'buildbotLocksView',
      formats: ['umd'],
      fileName: () => 'scripts.js',
    },
    rollupOptions: {
      external: Object.keys(globals),
      output: {globals, assetFileNames: 'styles.css'},
    },
  },
  test: {
    environment: 'jsdom',
    setupFiles: 'src/testing/setup.ts',
    // above what the tests wait for a text, so that it is the text that is said to be missing
    testTimeout: 30_000,
    alias: {
      'buildbot-data-js': '/src/testing/buildbot-data-js.ts',
      'buildbot-plugin-support': '/src/testing/buildbot-plugin-support.ts',
      'buildbot-ui': '/src/testing/buildbot-ui.ts',
    },
  },
});
